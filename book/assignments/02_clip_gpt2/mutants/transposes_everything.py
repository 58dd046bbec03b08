# points: 20
# Transposes nn.Linear as well.
# --- q1
def weight_of(layer):
    return layer.weight.T
