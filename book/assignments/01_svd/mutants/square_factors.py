# points: 16
# Writes U S into a square matrix, which only fits when W is square.
# --- q1
def rebuild(U, S, Vh):
    scaled = np.zeros((len(S), len(S)))
    for i, s in enumerate(S):
        scaled[:, i] = U[: len(S), i] * s
    return scaled @ Vh[:, : len(S)]
