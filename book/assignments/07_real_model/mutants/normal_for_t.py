# points: 32
# 1.96 for Student's t.
# --- q6
def mean_change(before, after):
    change = after - before
    half = 1.96 * change.std(ddof=1) / np.sqrt(len(change))
    return float(change.mean()), float(change.mean() - half), float(change.mean() + half)
