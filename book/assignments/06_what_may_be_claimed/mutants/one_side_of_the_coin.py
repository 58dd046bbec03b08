# points: 31
# The chance of d wins in a row, one side only.
# --- q5
def wins_needed(alpha, m):
    d = 1
    while m * 0.5**d > alpha:
        d += 1
    return d
