# points: 30
# Divides by the number of demonstrations.
# --- q3
def linear_attention(H, W_V, W_K, W_Q):
    C, query = H[:, :-1], H[:, -1]
    return query + W_V @ C @ (W_K @ C).T @ W_Q @ query / max(1, C.shape[1])
