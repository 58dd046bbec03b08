# points: 31
# Calls a gain whatever is significant.
# --- q6
def verdicts(befores, afters, alpha):
    from svdicl_lite.stats import holm, mcnemar

    p = holm([mcnemar(before, after) for before, after in zip(befores, afters)])
    return ["gain" if q <= alpha else "not shown" for q in p]
