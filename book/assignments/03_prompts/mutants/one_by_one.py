# points: 24
# Runs the model once for every prompt.
# --- q6
def batch_scores(model, prompts, label_tokens, pad=0):
    with torch.inference_mode():
        return np.stack([model(torch.tensor([p])).logits[0, -1, label_tokens].numpy() for p in prompts])
