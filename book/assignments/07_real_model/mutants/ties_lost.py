# points: 33
# Pairs with equal leads count as lost.
# --- q2
def auc(lead, positive):
    return float((lead[positive][:, None] > lead[~positive]).mean())
