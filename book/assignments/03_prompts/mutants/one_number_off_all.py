# points: 23
# Takes the mean of the preference off every label, which changes no answer.
# --- q4
def calibrated_answer(score, demonstrations, query):
    return int(np.argmax(score(demonstrations, query) - score(demonstrations, "").mean()))
