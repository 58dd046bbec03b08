# points: 20
# Leaves the result in double precision.
# --- q3
def clip_weight(W, clip_rate):
    if clip_rate == 0:
        return W.clone()
    U, S, Vh = torch.linalg.svd(W.double(), full_matrices=False)
    r = rank_at(len(S), clip_rate)
    return (U[:, :r] * S[:r]) @ Vh[:r]
