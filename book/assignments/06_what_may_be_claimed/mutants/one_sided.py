# points: 30
# The chance of so many wins, one side only.
# --- q2
def mcnemar_p(before, after):
    won, lost = int((~before & after).sum()), int((before & ~after).sum())
    return float(binom.cdf(lost, won + lost, 0.5))
