# points: 31
# The rule of Benjamini and Hochberg, which controls something weaker.
# --- q4
def holm_adjusted(p_values):
    p = np.asarray(p_values, dtype=float)
    order, m = p.argsort(), len(p)
    adjusted = np.empty(m)
    adjusted[order] = np.minimum.accumulate((p[order] * m / np.arange(1, m + 1))[::-1])[::-1]
    return adjusted
