# points: 31
# Returns the adjusted values in sorted order.
# --- q4
def holm_adjusted(p_values):
    p = np.sort(p_values)
    return np.minimum(1, np.maximum.accumulate(p * np.arange(len(p), 0, -1)))
