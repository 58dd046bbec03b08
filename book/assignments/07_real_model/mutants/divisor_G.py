# points: 33
# Divides by G, not by G − 1.
# --- q6
def mean_change(before, after):
    change = after - before
    half = t.ppf(0.975, len(change) - 1) * change.std() / np.sqrt(len(change))
    return float(change.mean()), float(change.mean() - half), float(change.mean() + half)
