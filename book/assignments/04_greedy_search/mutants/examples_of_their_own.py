# points: 31
# Draws other examples for every rate: rates that answer alike seem to differ.
# --- q5
def optimism(pool, size, n_draws, seed):
    rng = np.random.default_rng(seed)
    truth, excess = pool.mean(1), []
    for _ in range(n_draws):
        drawn = np.array([row[rng.integers(len(row), size=size)].mean() for row in pool])
        winner = drawn.argmax()
        excess.append((drawn[winner] - drawn[0]) - (truth[winner] - truth[0]))
    return float(np.mean(excess))
