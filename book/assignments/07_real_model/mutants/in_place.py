# points: 32
# Subtracts from the scores that came in.
# --- q4
def calibrated_correct(scores, right, sets):
    for name in np.unique(sets):
        scores[sets == name] -= scores[sets == name].mean(0)
    return scores.argmax(1) == right
