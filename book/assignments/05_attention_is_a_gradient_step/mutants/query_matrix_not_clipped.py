# points: 31
# Clips keys and values and forgets the queries.
# --- q6
def upper_bound(C, W_V, W_K, W_Q, clip_rate):
    if clip_rate > 0:
        clip = lambda W: SVD.of(torch.from_numpy(W)).truncate(rank_at(len(W), clip_rate)).numpy()
        W_V, W_K = clip(W_V), clip(W_K)
    return float(C.shape[1] * (((W_V @ C) ** 2).sum(0) * ((W_K @ C) ** 2).sum(0)).sum() * (W_Q**2).sum())
