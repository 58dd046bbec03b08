# points: 21
# Pads on the right and reads the last column, which is padding.
# --- q6
def batch_scores(model, prompts, label_tokens, pad=0):
    longest = max(map(len, prompts))
    padded = torch.tensor([p + [pad] * (longest - len(p)) for p in prompts])
    with torch.inference_mode():
        return model(padded).logits[:, -1, label_tokens].numpy()
