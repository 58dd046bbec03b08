# points: 30
# The learning rate alone, without 1/N.
# --- q4
def construction(d, N, lr):
    W_K = W_Q = np.diag([1.0] * d + [0.0])
    return np.diag([0.0] * d + [lr]), W_K, W_Q
