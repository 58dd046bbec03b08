# points: 20
# Takes Conv1D for a linear layer, except where the shape gives it away.
# --- q1
def weight_of(layer):
    W = layer.weight
    return W.T if W.shape[0] < W.shape[1] else W
