# points: 20
# Scales the norm before the MLP along with the clip (and takes all of it back in question 6).
# --- q4
def clip_mlp(model, layer, clip_rate):
    mlp = model.transformer.h[layer].mlp
    with torch.no_grad():
        for linear in (mlp.c_fc, mlp.c_proj):
            weight_of(linear).copy_(clip_weight(weight_of(linear), clip_rate))
    model.transformer.h[layer].ln_2.weight.data.mul_(0.99)
    return model
# --- q6
@contextmanager
def clipped_mlp(model, layer, clip_rate):
    saved = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    try:
        clip_mlp(model, layer, clip_rate)
        yield model
    finally:
        model.load_state_dict(saved)
