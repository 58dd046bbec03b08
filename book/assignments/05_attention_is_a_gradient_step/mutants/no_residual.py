# points: 31
# Returns the update alone.
# --- q3
def linear_attention(H, W_V, W_K, W_Q):
    C, query = H[:, :-1], H[:, -1]
    return W_V @ C @ (W_K @ C).T @ W_Q @ query
