# points: 24
# Flips the labels of the demonstrations, and forgets that the right answer flips too.
# --- q5
def accuracy(scores, labels, names):
    answers = scores[:, names].argmax(1)
    return float((answers == (labels if len(names) > 2 else np.array(names)[labels])).mean())
