# points: 30
# No 1/N: more examples make a longer step.
# --- q1
def gd_prediction(X, y, x, lr):
    return float(lr * (y @ X) @ x)
