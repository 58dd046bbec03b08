# points: 30
# The balanced accuracy of a threshold at zero in the place of the AUC.
# --- q2
def auc(lead, positive):
    found, refused = (lead > 0)[positive], (lead <= 0)[~positive]
    return float((found.mean() + refused.mean()) / 2)
