# points: 31
# Numpy's own standard deviation, with divisor G.
# --- q7
def interval_over_sets(gain, sets):
    means = np.array([gain[sets == name].mean() for name in np.unique(sets)])
    half = t.ppf(0.975, len(means) - 1) * means.std() / np.sqrt(len(means))
    return float(means.mean() - half), float(means.mean() + half)
