# points: 31
# From the first layer to the last.
# --- q6
def greedy(evaluate, layers, rates):
    kept, best = {}, evaluate({})
    for layer in sorted(layers):
        scores = [evaluate({**kept, layer: rate}) for rate in rates]
        if max(scores) > best:
            kept, best = {**kept, layer: rates[int(np.argmax(scores))]}, max(scores)
    return kept, best
