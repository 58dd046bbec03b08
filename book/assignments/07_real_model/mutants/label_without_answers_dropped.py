# points: 33
# Counts only labels that were answered at all.
# --- q1
def accuracy_and_shares(scores, right):
    answers = scores.argmax(1)
    shares = np.unique(answers, return_counts=True)[1] / len(answers)
    return float((answers == right).mean()), shares
