# points: 31
# The gradient of the mean squared error, without the half: a step of twice the length.
# --- q1
def gd_prediction(X, y, x, lr):
    return float(2 * lr / len(y) * (y @ X) @ x)
