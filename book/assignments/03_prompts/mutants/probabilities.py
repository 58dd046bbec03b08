# points: 24
# A softmax over the vocabulary, where logits were asked for.
# --- q3
def label_scores(model, tokens, label_tokens):
    with torch.inference_mode():
        return model(torch.tensor([tokens])).logits[0, -1].softmax(-1)[label_tokens].numpy()
