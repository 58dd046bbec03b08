# points: 14
# Exchanges b and its error, which is the best case.
# --- q6
def worst_case(W):
    U = np.linalg.svd(W)[0]
    return U[:, -1], U[:, 0]
