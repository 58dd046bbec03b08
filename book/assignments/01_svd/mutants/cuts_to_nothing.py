# points: 16
# Lets a rate just below 1 cut everything away.
# --- q4
def rank_at(k, clip_rate):
    return math.floor((1 - clip_rate) * k + 1e-6)
