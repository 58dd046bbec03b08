# points: 32
# Gives the shares of the right labels, not those of the answers.
# --- q1
def accuracy_and_shares(scores, right):
    shares = np.bincount(right, minlength=scores.shape[1]) / len(right)
    return float((scores.argmax(1) == right).mean()), shares
