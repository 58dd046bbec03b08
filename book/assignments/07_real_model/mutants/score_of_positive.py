# points: 33
# Ranks by the score of one label, not by the lead.
# --- q3
def auc_by_set(scores, right, sets):
    names = np.unique(sets)
    return np.array([auc(scores[sets == name, 1], right[sets == name] == 1) for name in names])
