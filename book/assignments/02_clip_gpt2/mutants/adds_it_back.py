# points: 20
# Keeps the difference and adds it back, which rounds.
# --- q6
@contextmanager
def clipped_mlp(model, layer, clip_rate):
    mlp = model.transformer.h[layer].mlp
    weights = (mlp.c_fc.weight, mlp.c_proj.weight)
    before = [weight.detach().clone() for weight in weights]
    clip_mlp(model, layer, clip_rate)
    taken = [b - weight.detach() for b, weight in zip(before, weights)]
    try:
        yield model
    finally:
        with torch.no_grad():
            for weight, part in zip(weights, taken):
                weight.add_(part)
