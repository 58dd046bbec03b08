# points: 30
# Keys times values: the matrix acts on values, not on queries.
# --- q2
def delta_w(V, K):
    return K.T @ V
