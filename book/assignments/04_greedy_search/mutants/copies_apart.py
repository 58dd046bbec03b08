# points: 30
# Shuffles examples instead of texts: copies of one text land on both sides.
# --- q2
def split(texts, share, seed):
    order = np.random.default_rng(seed).permutation(len(texts))
    k = round(share * len(texts))
    return [int(i) for i in order[:k]], [int(i) for i in order[k:]]
