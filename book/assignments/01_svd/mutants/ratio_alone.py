# points: 16
# Divides by rounding noise instead of calling a singular matrix singular.
# --- q5
def condition_number(W):
    S = np.linalg.svd(W, compute_uv=False)
    return S[0] / S[-1] if S[-1] > 0 else math.inf
