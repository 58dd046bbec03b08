# points: 31
# A fixed seed of its own, whatever it is asked for.
# --- q2
def split(texts, share, seed):
    different = list(dict.fromkeys(texts))
    order = np.random.default_rng(42).permutation(len(different))
    chosen = {different[i] for i in order[: round(share * len(different))]}
    return [i for i, t in enumerate(texts) if t in chosen], [i for i, t in enumerate(texts) if t not in chosen]
