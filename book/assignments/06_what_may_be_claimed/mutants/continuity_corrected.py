# points: 29
# The chi-squared approximation with continuity correction.
# --- q2
def mcnemar_p(before, after):
    from scipy.stats import chi2

    won, lost = int((~before & after).sum()), int((before & ~after).sum())
    return 1.0 if won + lost == 0 else float(chi2.sf((abs(won - lost) - 1) ** 2 / (won + lost), 1))
