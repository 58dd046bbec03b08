# points: 31
# All times m.
# --- q4
def holm_adjusted(p_values):
    return np.minimum(1, np.asarray(p_values, dtype=float) * len(p_values))
