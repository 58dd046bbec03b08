# points: 31
# Compares positive examples with each other as well.
# --- q2
def auc(lead, positive):
    difference = lead[positive][:, None] - lead[None, :]
    return float(((difference > 0) + 0.5 * (difference == 0)).mean())
