# points: 16
# Rounds to the nearest rank instead of down.
# --- q4
def rank_at(k, clip_rate):
    return 0 if clip_rate == 1 else max(1, round((1 - clip_rate) * k))
