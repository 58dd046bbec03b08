# points: 31
# Rounds the size of the validation set down.
# --- q2
def split(texts, share, seed):
    different = list(dict.fromkeys(texts))
    order = np.random.default_rng(seed).permutation(len(different))
    chosen = {different[i] for i in order[: int(share * len(different))]}
    validation = [i for i, text in enumerate(texts) if text in chosen]
    return validation, [i for i, text in enumerate(texts) if text not in chosen]
