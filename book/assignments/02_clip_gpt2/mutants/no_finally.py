# points: 19
# Restores after the yield, which an error skips.
# --- q6
@contextmanager
def clipped_mlp(model, layer, clip_rate):
    mlp = model.transformer.h[layer].mlp
    weights = (mlp.c_fc.weight, mlp.c_proj.weight)
    saved = [weight.detach().clone() for weight in weights]
    clip_mlp(model, layer, clip_rate)
    yield model
    with torch.no_grad():
        for weight, original in zip(weights, saved):
            weight.copy_(original)
