# points: 24
# Sorts the prompts by length and leaves the rows so.
# --- q6
def batch_scores(model, prompts, label_tokens, pad=0):
    prompts = sorted(prompts, key=len)
    longest = len(prompts[-1])
    padded = torch.tensor([p + [pad] * (longest - len(p)) for p in prompts])
    with torch.inference_mode():
        logits = model(padded).logits
    return logits[range(len(prompts)), [len(p) - 1 for p in prompts]][:, label_tokens].numpy()
