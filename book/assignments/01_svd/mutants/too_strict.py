# points: 16
# Calls everything above a million singular, which single precision might suggest.
# --- q5
def condition_number(W):
    S = np.linalg.svd(W, compute_uv=False)
    return math.inf if S[-1] <= 1e-6 * S[0] else S[0] / S[-1]
