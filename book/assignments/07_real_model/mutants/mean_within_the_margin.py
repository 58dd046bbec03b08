# points: 33
# Asks only whether the mean change of discrimination lies within the margin.
# --- q7
def only_lean(no_clip, clips, right, sets, margin):
    def accuracy_by_set(scores):
        correct = scores.argmax(1) == right
        return np.array([correct[sets == name].mean() for name in np.unique(sets)])

    found, base = [], auc_by_set(no_clip, right, sets)
    for name, scores in clips.items():
        change, low, high = mean_change(accuracy_by_set(no_clip), accuracy_by_set(scores))
        moved = low > 0 or high < 0
        change, low, high = mean_change(base, auc_by_set(scores, right, sets))
        if moved and abs(change) <= margin:
            found.append(name)
    return found
