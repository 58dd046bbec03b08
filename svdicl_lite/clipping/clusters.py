"""A clip that sorts the rows of a matrix first: rows that point the same way are factored together.

One truncation asks all outputs of a matrix to share one subspace. Compress to Impress (Sreeram et
al. 2025, arXiv 2510.20800) lets rows cluster around several, and decomposes each cluster by itself.
Taught in chapter 10.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from svdicl_lite.clipping.svd import SVD

CLUSTERS = 4
ROUNDS = 20


def row_clusters(W: Tensor, n_clusters: int, seed: int = 0) -> Tensor:
    """(m,) the cluster, from 0, of each row of W (m, n): spherical k-means, in which rows of one
    direction, or of its opposite, belong together, as they do in a subspace. Rows of zeros are in
    cluster 0. `seed` draws the row to begin with; each further cluster begins with the row that is
    least like those before it.
    """
    norms = W.norm(dim=1, keepdim=True)
    rows = W / norms.clamp(min=1e-300)
    drawn = torch.randint(len(rows), (1,), generator=torch.Generator().manual_seed(seed))
    centres = rows[drawn.to(W.device)]  # (1, n), then (K, n)
    while len(centres) < min(n_clusters, len(rows)):
        likeness = (rows @ centres.T).abs().amax(1)
        likeness[norms[:, 0] == 0] = 1.0
        centres = torch.cat([centres, rows[likeness.argmin()][None]])
    clusters = torch.zeros(len(rows), dtype=torch.long, device=W.device)
    for _ in range(ROUNDS):
        before, clusters = clusters, (rows @ centres.T).abs().argmax(1)
        if torch.equal(before, clusters):
            break
        for number in range(len(centres)):
            mine = rows[clusters == number]
            if len(mine):
                centres[number] = SVD.of(mine).Vh[0]  # the line that is nearest to all of them
    clusters[norms[:, 0] == 0] = 0
    return clusters


def clustered(seed: int) -> Callable[[SVD, int], Tensor]:
    """Each of four clusters of rows keeps the share r / k of its own singular values, rounded up:
    all of W at r = k, nothing at r = 0.

    A matrix so clipped has four subspaces of rows, and more free numbers than one of rank r.
    """

    def how(factors: SVD, rank: int) -> Tensor:
        k = len(factors.S)
        if not 0 <= rank <= k:
            raise ValueError(f"rank is {rank}, but this matrix has ranks 0 to {k}")
        W = factors.truncate(k)
        if rank in (0, k):
            return W if rank else torch.zeros_like(W)
        clusters, clipped = row_clusters(W, CLUSTERS, seed), torch.zeros_like(W)
        for number in clusters.unique():
            mine = clusters == number
            of_rows = SVD.of(W[mine])
            kept = -(-rank * len(of_rows.S) // k)  # rounded up
            clipped[mine] = of_rows.truncate(kept)
        return clipped

    return how
