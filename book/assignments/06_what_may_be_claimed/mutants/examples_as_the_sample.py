# points: 28
# Takes the examples as independent: the interval is far too narrow.
# --- q7
def interval_over_sets(gain, sets):
    half = 1.96 * gain.std(ddof=1) / np.sqrt(len(gain))
    return float(gain.mean() - half), float(gain.mean() + half)
