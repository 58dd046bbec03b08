# points: 31
# Adds the gradient.
# --- q1
def gd_prediction(X, y, x, lr):
    gradient = X.T @ (0 - y) / len(y)
    return float(lr * gradient @ x)
