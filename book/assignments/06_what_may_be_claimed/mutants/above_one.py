# points: 31
# Does not stop at 1.
# --- q4
def holm_adjusted(p_values):
    p = np.asarray(p_values, dtype=float)
    order = p.argsort()
    adjusted = np.empty(len(p))
    adjusted[order] = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    return adjusted
