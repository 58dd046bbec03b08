# points: 28
# Draws without replacement: every sample is the data themselves.
# --- q3
def bootstrap_interval(before, after, n_resamples, seed):
    rng = np.random.default_rng(seed)
    gain = after.astype(float) - before
    gains = [round(rng.permutation(gain).mean(), 12) for _ in range(n_resamples)]
    low, high = np.quantile(gains, [0.025, 0.975])
    return float(low), float(high)
