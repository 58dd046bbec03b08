# points: 30
# The unclipped model is no candidate, so some clip always wins.
# --- q1
def choose(scores):
    return 1 + int(np.argmax(scores[1:])) if len(scores) > 1 else 1
