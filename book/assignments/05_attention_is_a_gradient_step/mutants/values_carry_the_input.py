# points: 31
# The identity as value matrix, so that the input part moves too.
# --- q4
def construction(d, N, lr):
    W_K = W_Q = np.diag([1.0] * d + [0.0])
    return lr / N * np.eye(d + 1), W_K, W_Q
