# points: 31
# The identity as key matrix: right only while the query's answer is 0.
# --- q4
def construction(d, N, lr):
    return np.diag([0.0] * d + [lr / N]), np.eye(d + 1), np.diag([1.0] * d + [0.0])
