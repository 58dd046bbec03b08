# points: 29
# Goes by the sign of the gain.
# --- q6
def verdicts(befores, afters, alpha):
    gains = afters.mean(1) - befores.mean(1)
    return ["gain" if gain > 0 else "loss" if gain < 0 else "not shown" for gain in gains]
