# points: 32
# Compares the sets before and after as if they were others.
# --- q6
def mean_change(before, after):
    mean, G = after.mean() - before.mean(), len(before)
    half = t.ppf(0.975, G - 1) * np.sqrt((before.var(ddof=1) + after.var(ddof=1)) / G)
    return float(mean), float(mean - half), float(mean + half)
