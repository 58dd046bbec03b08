# points: 31
# Takes no notice of the other tests.
# --- q5
def wins_needed(alpha, m):
    d = 1
    while 2 * 0.5**d > alpha:
        d += 1
    return d
