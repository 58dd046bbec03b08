# points: 31
# Cuts five percent off at each end.
# --- q3
def bootstrap_interval(before, after, n_resamples, seed):
    rng = np.random.default_rng(seed)
    gain = after.astype(float) - before
    gains = [gain[rng.integers(len(gain), size=len(gain))].mean() for _ in range(n_resamples)]
    low, high = np.quantile(gains, [0.05, 0.95])
    return float(low), float(high)
