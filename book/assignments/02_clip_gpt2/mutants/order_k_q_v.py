# points: 20
# Takes the first third for the keys.
# --- q2
def qkv_of(c_attn):
    q, k, v = weight_of(c_attn).chunk(3, dim=0)
    return k, q, v
