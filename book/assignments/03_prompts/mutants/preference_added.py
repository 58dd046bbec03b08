# points: 23
# Adds the preference instead of taking it off.
# --- q4
def calibrated_answer(score, demonstrations, query):
    return int(np.argmax(score(demonstrations, query) + score(demonstrations, "")))
