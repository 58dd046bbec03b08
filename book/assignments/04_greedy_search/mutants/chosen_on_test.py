# points: 28
# Leakage: looks at the test set at every rate and lets it choose.
# --- q3
def search(evaluate, rates):
    scores = [evaluate("test", rate).mean() for rate in rates]
    best = int(np.argmax(scores))
    promised = evaluate("validation", rates[best]).mean() - evaluate("validation", rates[0]).mean()
    return rates[best], promised, scores[best] - scores[0]
