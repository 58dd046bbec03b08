# points: 14
# Takes right singular vectors, which live where x does, for left ones.
# --- q6
def worst_case(W):
    Vh = np.linalg.svd(W)[2]
    return Vh[0], Vh[-1]
