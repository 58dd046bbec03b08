# points: 31
# The minus of the gradient, though that of the residual has cancelled it already.
# --- q4
def construction(d, N, lr):
    W_K = W_Q = np.diag([1.0] * d + [0.0])
    return np.diag([0.0] * d + [-lr / N]), W_K, W_Q
