# points: 32
# One mean over all sets.
# --- q4
def calibrated_correct(scores, right, sets):
    return (scores - scores.mean(0)).argmax(1) == right
