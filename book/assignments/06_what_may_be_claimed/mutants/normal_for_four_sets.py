# points: 30
# 1.96, as if there were many sets.
# --- q7
def interval_over_sets(gain, sets):
    means = np.array([gain[sets == name].mean() for name in np.unique(sets)])
    half = 1.96 * means.std(ddof=1) / np.sqrt(len(means))
    return float(means.mean() - half), float(means.mean() + half)
