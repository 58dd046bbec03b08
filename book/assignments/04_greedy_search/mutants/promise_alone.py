# points: 31
# The mean promise: what a better rate does keep is called luck too.
# --- q5
def optimism(pool, size, n_draws, seed):
    rng = np.random.default_rng(seed)
    drawn = [pool[:, rng.integers(pool.shape[1], size=size)].mean(1) for _ in range(n_draws)]
    return float(np.mean([d.max() - d[0] for d in drawn]))
