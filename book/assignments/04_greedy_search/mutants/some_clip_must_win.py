# points: 31
# Searches among the clips only and takes the best of them.
# --- q3
def search(evaluate, rates):
    scores = [evaluate("validation", rate).mean() for rate in rates]
    best = 1 + int(np.argmax(scores[1:]))
    return rates[best], scores[best] - scores[0], evaluate("test", rates[best]).mean() - evaluate("test", rates[0]).mean()
