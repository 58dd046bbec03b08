# points: 27
# A softmax over the scores, from habit.
# --- q3
def linear_attention(H, W_V, W_K, W_Q):
    C, query = H[:, :-1], H[:, -1]
    if C.shape[1] == 0:
        return query
    scores = (W_K @ C).T @ W_Q @ query
    weights = np.exp(scores - scores.max())
    return query + W_V @ C @ (weights / weights.sum())
