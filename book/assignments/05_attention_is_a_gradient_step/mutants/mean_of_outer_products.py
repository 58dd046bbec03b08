# points: 31
# A mean, where the layer adds up.
# --- q2
def delta_w(V, K):
    return V.T @ K / len(V)
