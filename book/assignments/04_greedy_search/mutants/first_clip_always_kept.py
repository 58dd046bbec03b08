# points: 30
# Never asks how good the model is without a clip, so that some clip is always kept.
# --- q6
def greedy(evaluate, layers, rates):
    kept, best = {}, 0.0
    for layer in sorted(layers, reverse=True):
        scores = [evaluate({**kept, layer: rate}) for rate in rates]
        if max(scores) > best:
            kept, best = {**kept, layer: rates[int(np.argmax(scores))]}, max(scores)
    return kept, best
