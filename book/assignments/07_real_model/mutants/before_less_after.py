# points: 32
# Reading with the wrong sign; the parts still add up.
# --- q5
def split_gain(before, after, right, sets):
    def balanced(scores):
        correct = calibrated_correct(scores, right, sets)
        return np.mean([correct[right == label].mean() for label in np.unique(right)])

    gain = (after.argmax(1) == right).mean() - (before.argmax(1) == right).mean()
    reading = balanced(before) - balanced(after)
    return float(reading), float(gain - reading)
