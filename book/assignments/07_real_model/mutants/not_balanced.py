# points: 33
# Reading as the change of plain calibrated accuracy.
# --- q5
def split_gain(before, after, right, sets):
    gain = (after.argmax(1) == right).mean() - (before.argmax(1) == right).mean()
    calibrated = [calibrated_correct(scores, right, sets).mean() for scores in (before, after)]
    reading = calibrated[1] - calibrated[0]
    return float(reading), float(gain - reading)
