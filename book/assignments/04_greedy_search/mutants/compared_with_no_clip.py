# points: 31
# Compares every clip with the unclipped model instead of the best so far.
# --- q6
def greedy(evaluate, layers, rates):
    base, kept = evaluate({}), {}
    best = base
    for layer in sorted(layers, reverse=True):
        scores = [evaluate({**kept, layer: rate}) for rate in rates]
        if max(scores) > base:
            kept, best = {**kept, layer: rates[int(np.argmax(scores))]}, max(scores)
    return kept, best
