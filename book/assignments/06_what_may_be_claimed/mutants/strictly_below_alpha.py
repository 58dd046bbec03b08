# points: 31
# Asks for a p-value below alpha.
# --- q5
def wins_needed(alpha, m):
    d = 1
    while m * 2 * 0.5**d >= alpha:
        d += 1
    return d
