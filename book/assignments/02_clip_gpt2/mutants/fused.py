# points: 19
# Clips c_attn as one matrix, to the rank of one part.
# --- q5
def clip_attention(model, layer, clip_rate):
    c_attn = model.transformer.h[layer].attn.c_attn
    with torch.no_grad():
        c_attn.weight.copy_(clip_weight(c_attn.weight, clip_rate))
    return model
