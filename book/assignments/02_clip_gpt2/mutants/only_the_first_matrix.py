# points: 20
# Clips c_fc and forgets c_proj.
# --- q4
def clip_mlp(model, layer, clip_rate):
    linear = model.transformer.h[layer].mlp.c_fc
    with torch.no_grad():
        weight_of(linear).copy_(clip_weight(weight_of(linear), clip_rate))
    return model
