# points: 28
# A z-test of two proportions, as if the examples were other ones.
# --- q2
def mcnemar_p(before, after):
    from scipy.stats import norm

    n, pooled = len(before), (before.mean() + after.mean()) / 2
    z = (after.mean() - before.mean()) / np.sqrt(2 * pooled * (1 - pooled) / n)
    return float(2 * norm.sf(abs(z)))
