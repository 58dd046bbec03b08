# points: 33
# Sets in the order in which they come.
# --- q3
def auc_by_set(scores, right, sets):
    lead, names = scores[:, 1] - scores[:, 0], dict.fromkeys(sets.tolist())
    return np.array([auc(lead[sets == name], right[sets == name] == 1) for name in names])
