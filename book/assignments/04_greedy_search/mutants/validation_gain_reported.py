# points: 31
# Compares the test accuracy with the unclipped model's accuracy on validation.
# --- q3
def search(evaluate, rates):
    scores = [evaluate("validation", rate).mean() for rate in rates]
    best = int(np.argmax(scores))
    evaluate("test", rates[0])
    return rates[best], scores[best] - scores[0], evaluate("test", rates[best]).mean() - scores[0]
