# points: 30
# The head of the file validates and its tail tests, whatever the seed.
# --- q2
def split(texts, share, seed):
    different = list(dict.fromkeys(texts))
    chosen = set(different[: round(share * len(different))])
    return [i for i, t in enumerate(texts) if t in chosen], [i for i, t in enumerate(texts) if t not in chosen]
