# points: 31
# Twice the tail, also where that exceeds 1.
# --- q2
def mcnemar_p(before, after):
    won, lost = int((~before & after).sum()), int((before & ~after).sum())
    return 2 * float(binom.cdf(min(won, lost), won + lost, 0.5))
