# points: 22
# Takes every token equal to `pad` for padding, also where the prompt itself holds one.
# --- q6
def batch_scores(model, prompts, label_tokens, pad=0):
    longest = max(map(len, prompts))
    padded = torch.tensor([p + [pad] * (longest - len(p)) for p in prompts])
    ends = (padded != pad).sum(1) - 1
    with torch.inference_mode():
        return model(padded).logits[torch.arange(len(prompts)), ends][:, label_tokens].numpy()
