# points: 20
# Clips the shared parameter in place, and with it the embedding.
# --- q7
def clip_head(model, clip_rate):
    with torch.no_grad():
        model.lm_head.weight.copy_(clip_weight(model.lm_head.weight, clip_rate))
    return model
