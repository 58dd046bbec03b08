# points: 31
# Draws from a set, whose order is another in every process.
# --- q2
def split(texts, share, seed):
    different = list(set(texts))
    order = np.random.default_rng(seed).permutation(len(different))
    chosen = {different[i] for i in order[: round(share * len(different))]}
    validation = [i for i, text in enumerate(texts) if text in chosen]
    return validation, [i for i, text in enumerate(texts) if text not in chosen]
