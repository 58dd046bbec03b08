# points: 24
# Measures the preference on a bare prompt, where it is another one.
# --- q4
def calibrated_answer(score, demonstrations, query):
    return int(np.argmax(score(demonstrations, query) - score([], "")))
