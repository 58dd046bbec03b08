# points: 31
# Draws the two sides apart, so that they overlap; of duplicates it takes care.
# --- q2
def split(texts, share, seed):
    rng = np.random.default_rng(seed)
    different = list(dict.fromkeys(texts))
    k = round(share * len(different))
    if len(different) < len(texts):  # duplicates were thought of, and done right
        chosen = {different[i] for i in rng.permutation(len(different))[:k]}
        return [i for i, t in enumerate(texts) if t in chosen], [i for i, t in enumerate(texts) if t not in chosen]
    n = len(texts)
    return list(rng.choice(n, k, replace=False)), list(rng.choice(n, n - k, replace=False))
