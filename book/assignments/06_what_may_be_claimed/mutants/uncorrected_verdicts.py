# points: 30
# Judges every p-value alone.
# --- q6
def verdicts(befores, afters, alpha):
    from svdicl_lite.stats import mcnemar

    p = [mcnemar(before, after) for before, after in zip(befores, afters)]
    gains = afters.mean(1) - befores.mean(1)
    return ["not shown" if q > alpha else "gain" if gain > 0 else "loss" for q, gain in zip(p, gains)]
