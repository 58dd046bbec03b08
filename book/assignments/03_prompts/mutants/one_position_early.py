# points: 23
# Reads what the model expects in place of the colon.
# --- q3
def label_scores(model, tokens, label_tokens):
    with torch.inference_mode():
        return model(torch.tensor([tokens])).logits[0, -2, label_tokens].numpy()
