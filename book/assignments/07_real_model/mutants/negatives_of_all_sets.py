# points: 30
# Compares the positive examples of a set with the negative ones of all sets.
# --- q3
def auc_by_set(scores, right, sets):
    lead, found = scores[:, 1] - scores[:, 0], []
    for name in np.unique(sets):
        taken = (sets == name) | (right == 0)
        found.append(auc(lead[taken], right[taken] == 1))
    return np.array(found)
