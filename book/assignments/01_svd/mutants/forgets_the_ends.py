# points: 16
# Never cuts below rank one, as if rank 0 were the same as rank 1.
# --- q2
def truncate(W, rank):
    U, S, Vh = np.linalg.svd(W, full_matrices=False)
    rank = max(rank, 1)
    return (U[:, :rank] * S[:rank]) @ Vh[:rank]
