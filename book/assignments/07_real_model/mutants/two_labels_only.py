# points: 33
# Works with the lead of the second label over the first, whatever others there are.
# --- q4
def calibrated_correct(scores, right, sets):
    answers = np.empty(len(right), dtype=int)
    for name in np.unique(sets):
        lead = scores[sets == name, 1] - scores[sets == name, 0]
        answers[sets == name] = lead > lead.mean()
    return answers == right
