# points: 14
# Takes V for its transpose: multiplies by columns of Vh.
# --- q2
def truncate(W, rank):
    U, S, V = np.linalg.svd(W, full_matrices=False)
    return (U[:, :rank] * S[:rank]) @ V[:, :rank].T if W.shape[0] >= W.shape[1] else np.ones(W.shape)
