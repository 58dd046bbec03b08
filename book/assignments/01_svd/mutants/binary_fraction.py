# points: 16
# Rounds (1 − ξ) k down as the computer has it, a little less than it is.
# --- q4
def rank_at(k, clip_rate):
    return 0 if clip_rate == 1 else max(1, int((1 - clip_rate) * k))
