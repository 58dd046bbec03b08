# points: 30
# Adds up the updates, as if each acted on the input.
# --- q5
def trajectory(deltas):
    return list(np.cumsum(deltas, axis=0, dtype=float))
