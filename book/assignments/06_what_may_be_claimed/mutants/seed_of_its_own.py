# points: 31
# A fresh generator without the seed.
# --- q3
def bootstrap_interval(before, after, n_resamples, seed):
    rng = np.random.default_rng()
    gain = after.astype(float) - before
    gains = [gain[rng.integers(len(gain), size=len(gain))].mean() for _ in range(n_resamples)]
    low, high = np.quantile(gains, [0.025, 0.975])
    return float(low), float(high)
