# points: 30
# Forgets the mask: the query attends to itself.
# --- q3
def linear_attention(H, W_V, W_K, W_Q):
    return H[:, -1] + W_V @ H @ (W_K @ H).T @ W_Q @ H[:, -1]
