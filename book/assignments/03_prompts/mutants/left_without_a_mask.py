# points: 21
# Pads on the left with the right positions, but lets every prompt read its padding.
# --- q6
def batch_scores(model, prompts, label_tokens, pad=0):
    longest = max(map(len, prompts))
    padded = torch.tensor([[pad] * (longest - len(p)) + p for p in prompts])
    positions = torch.tensor([[0] * (longest - len(p)) + list(range(len(p))) for p in prompts])
    with torch.inference_mode():
        return model(padded, position_ids=positions).logits[:, -1, label_tokens].numpy()
