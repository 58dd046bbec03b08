# points: 32
# Puts the threshold at the median, which forces half of the answers to each label.
# --- q4
def calibrated_correct(scores, right, sets):
    answers = np.empty(len(right), dtype=int)
    for name in np.unique(sets):
        here = sets == name
        answers[here] = (scores[here] - np.median(scores[here], axis=0)).argmax(1)
    return answers == right
