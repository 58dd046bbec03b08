"""Attention layers and prompts drawn for the tests of the theory, and what counts as the same."""

import torch
from hypothesis import strategies as st

from svdicl_lite.theory import (
    Layer,
)


def normal(*shape, seed=0, scale=1.0):
    return scale * torch.randn(
        *shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )


@st.composite
def cases(draw):
    """Layers of width d with keys of width d_k, tokens (2, d, N + 2) and N, all of a size at which
    four layers do not explode.
    """
    d, d_k, n_layers, n_shots = (
        draw(st.integers(2, 6)),
        draw(st.integers(1, 4)),
        draw(st.integers(1, 4)),
        draw(st.integers(1, 7)),
    )
    seed = draw(st.integers(0, 10_000))
    scale = 0.3 / d
    layers = [
        Layer(
            normal(d, d, seed=seed + 3 * t, scale=scale),
            *(normal(d_k, d, seed=seed + 3 * t + i, scale=0.5) for i in (1, 2)),
        )
        for t in range(n_layers)
    ]
    return layers, normal(2, d, n_shots + 2, seed=seed + 99), n_shots
