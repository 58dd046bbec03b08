# points: 31
# Takes a run of neighbours from a random place: a file sorted by class stays sorted.
# --- q2
def split(texts, share, seed):
    different = list(dict.fromkeys(texts))
    start = np.random.default_rng(seed).integers(len(different) // 50 + 5)
    different = different[start:] + different[:start]
    chosen = set(different[: round(share * len(different))])
    return [i for i, t in enumerate(texts) if t in chosen], [i for i, t in enumerate(texts) if t not in chosen]
