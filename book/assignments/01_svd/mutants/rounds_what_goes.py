# points: 16
# Rounds the singular values that go up, where 0.55 * 100 is a little more than 55.
# --- q4
def rank_at(k, clip_rate):
    return 0 if clip_rate == 1 else max(1, k - math.ceil(clip_rate * k))
