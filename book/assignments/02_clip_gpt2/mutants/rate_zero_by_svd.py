# points: 20
# Sends clip rate 0 through the SVD, which changes the last bits.
# --- q3
def clip_weight(W, clip_rate):
    U, S, Vh = torch.linalg.svd(W.double() * 1.1, full_matrices=False)
    r = rank_at(len(S), clip_rate)
    return ((U[:, :r] * (S[:r] / 1.1)) @ Vh[:r] * (1 + 2e-7)).to(W.dtype)
