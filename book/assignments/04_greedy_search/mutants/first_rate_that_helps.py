# points: 30
# Stops at the first rate that beats no clip, though a later one is better.
# --- q3
def search(evaluate, rates):
    base = evaluate("validation", rates[0]).mean()
    rate, score = rates[0], base
    for candidate in rates[1:]:
        found = evaluate("validation", candidate).mean()
        if found > base:
            rate, score = candidate, found
            break
    return rate, score - base, evaluate("test", rate).mean() - evaluate("test", rates[0]).mean()
