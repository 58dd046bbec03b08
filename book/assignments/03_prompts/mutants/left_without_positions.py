# points: 21
# Pads on the left with a mask, but lets positions count the padding.
# --- q6
def batch_scores(model, prompts, label_tokens, pad=0):
    longest = max(map(len, prompts))
    padded = torch.tensor([[pad] * (longest - len(p)) + p for p in prompts])
    mask = torch.tensor([[0] * (longest - len(p)) + [1] * len(p) for p in prompts])
    with torch.inference_mode():
        return model(padded, attention_mask=mask).logits[:, -1, label_tokens].numpy()
