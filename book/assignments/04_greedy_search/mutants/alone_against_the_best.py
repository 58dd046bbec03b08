# points: 31
# Tries each layer without the clips kept before, so what it keeps was never tried together.
# --- q6
def greedy(evaluate, layers, rates):
    kept, best = {}, evaluate({})
    for layer in sorted(layers, reverse=True):
        scores = [evaluate({layer: rate}) for rate in rates]
        if max(scores) > best:
            kept, best = {**kept, layer: rates[int(np.argmax(scores))]}, max(scores)
    return kept, best
