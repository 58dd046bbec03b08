# points: 29
# Judges the winner on the examples that chose it, and finds no optimism.
# --- q5
def optimism(pool, size, n_draws, seed):
    rng = np.random.default_rng(seed)
    excess = []
    for _ in range(n_draws):
        drawn = pool[:, rng.integers(pool.shape[1], size=size)].mean(1)
        winner = drawn.argmax()
        kept = drawn[winner] - drawn[0]
        excess.append((drawn[winner] - drawn[0]) - kept)
    return float(np.mean(excess))
