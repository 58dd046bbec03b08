# points: 33
# Lean as the rest of the gain in balanced accuracy: the parts do not add up.
# --- q5
def split_gain(before, after, right, sets):
    def balanced(correct):
        return np.mean([correct[right == label].mean() for label in np.unique(right)])

    gain = balanced(after.argmax(1) == right) - balanced(before.argmax(1) == right)
    reading = balanced(calibrated_correct(after, right, sets))
    reading -= balanced(calibrated_correct(before, right, sets))
    return float(reading), float(gain - reading)
