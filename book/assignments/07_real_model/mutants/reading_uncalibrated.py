# points: 33
# Takes the raw answers for reading, so a shift of the threshold is reading.
# --- q5
def split_gain(before, after, right, sets):
    def balanced(scores):
        correct = scores.argmax(1) == right
        return np.mean([correct[right == label].mean() for label in np.unique(right)])

    gain = (after.argmax(1) == right).mean() - (before.argmax(1) == right).mean()
    reading = balanced(after) - balanced(before)
    return float(reading), float(gain - reading)
