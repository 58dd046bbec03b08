# points: 31
# Stacks the outer products, which fails where there is no demonstration.
# --- q3
def linear_attention(H, W_V, W_K, W_Q):
    query = H[:, -1]
    products = [np.outer(W_V @ h, W_K @ h) for h in H[:, :-1].T]
    return query + np.stack(products).sum(0) @ W_Q @ query
