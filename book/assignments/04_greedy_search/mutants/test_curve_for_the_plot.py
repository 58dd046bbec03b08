# points: 30
# Chooses on validation, but looks at the test set at every rate, "for the plot".
# --- q3
def search(evaluate, rates):
    scores = [evaluate("validation", rate).mean() for rate in rates]
    tested = [evaluate("test", rate).mean() for rate in rates]
    best = int(np.argmax(scores))
    return rates[best], scores[best] - scores[0], tested[best] - tested[0]
