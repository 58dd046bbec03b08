# points: 30
# The earlier layer on the left.
# --- q5
def trajectory(deltas):
    W, Ws = np.zeros_like(deltas[0], dtype=float), []
    for delta in deltas:
        W = W + (np.eye(len(W)) + W) @ delta
        Ws.append(W)
    return Ws
