# points: 20
# Takes the SVD in single precision.
# --- q3
def clip_weight(W, clip_rate):
    if clip_rate == 0:
        return W.clone()
    U, S, Vh = torch.linalg.svd(W.float(), full_matrices=False)
    r = rank_at(len(S), clip_rate)
    return ((U[:, :r] * S[:r]) @ Vh[:r]).to(W.dtype)
