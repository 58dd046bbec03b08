# points: 27
# Notes the new accuracy before it compares, so that no layer is ever left alone.
# --- q6
def greedy(evaluate, layers, rates):
    kept, history = {}, [evaluate({})]
    for layer in sorted(layers, reverse=True):
        scores = [evaluate({**kept, layer: rate}) for rate in rates]
        history.append(max(scores))
        if max(scores) >= min(history):
            kept = {**kept, layer: rates[int(np.argmax(scores))]}
    return kept, history[-1]
