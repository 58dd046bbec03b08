# points: 22
# Scores the words in their own meaning, whatever they were called in the prompt.
# --- q5
def accuracy(scores, labels, names):
    return float((scores.argmax(1) == labels).mean())
