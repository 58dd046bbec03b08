# points: 31
# Multiplies, and lets values overtake each other.
# --- q4
def holm_adjusted(p_values):
    p = np.asarray(p_values, dtype=float)
    order = p.argsort()
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(1, p[order] * np.arange(len(p), 0, -1))
    return adjusted
