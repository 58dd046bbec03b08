# points: 31
# Better or equal: a tie moves on to the stronger clip.
# --- q1
def choose(scores):
    best = 0
    for i, score in enumerate(scores):
        if score >= scores[best] and score > scores[0]:
            best = i
    return best
