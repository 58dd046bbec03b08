# points: 30
# Resamples before and after independently, and so forgets that they share their noise.
# --- q3
def bootstrap_interval(before, after, n_resamples, seed):
    rng, n = np.random.default_rng(seed), len(before)
    gains = [after[rng.integers(n, size=n)].mean() - before[rng.integers(n, size=n)].mean() for _ in range(n_resamples)]
    low, high = np.quantile(gains, [0.025, 0.975])
    return float(low), float(high)
