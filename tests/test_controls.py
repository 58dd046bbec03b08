import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from svdicl_lite.clipping.clip import clipped
from svdicl_lite.clipping.controls import (
    CONTROLS,
    how_of,
    magnitude,
    random_subspace,
    scale,
    smallest,
)
from svdicl_lite.clipping.matrices import matrices
from svdicl_lite.clipping.svd import SVD
from svdicl_lite.scoring.calibration import batch_bias

# As in test_svd.py: double precision, matrices up to 9 × 9, a few products; some hundred times the
# rounding of σ_max.
EPS = 1e-13
OF_LOW_RANK = ("svd", "random-subspace", "smallest", "drop")


@st.composite
def cases(draw):
    """A Gaussian matrix (m, n) of any shape and scale, its factors, a rank 0 to k, and a seed."""
    m, n, seed = draw(st.integers(1, 9)), draw(st.integers(1, 9)), draw(st.integers(0, 2**32 - 1))
    W = torch.randn(
        m, n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    ) * 10.0 ** draw(st.integers(-3, 3))
    return W, SVD.of(W), draw(st.integers(0, min(m, n))), seed


def matrix(m, n, seed=0):
    return torch.randn(m, n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("method", CONTROLS)
@given(cases())
def test_rank_zero_is_zero_and_full_rank_is_the_matrix_unless_it_is_dropped(method, case):
    W, factors, _, seed = case
    how, slack = how_of(method, seed), EPS * factors.S[0].item()
    assert torch.equal(how(factors, 0), torch.zeros_like(W))
    whole = how(factors, min(W.shape))
    assert whole.shape == W.shape and whole.dtype == torch.float64
    torch.testing.assert_close(
        whole, torch.zeros_like(W) if method == "drop" else W, rtol=0, atol=slack
    )


@pytest.mark.parametrize("method", OF_LOW_RANK)
@given(cases())
def test_no_control_of_its_rank_comes_nearer_than_truncation(method, case):
    W, factors, rank, seed = case
    control, best, slack = (
        how_of(method, seed)(factors, rank),
        factors.truncate(rank),
        EPS * factors.S[0].item(),
    )
    assert torch.linalg.matrix_rank(control, atol=slack) <= rank
    for order in ("fro", 2):
        assert (
            torch.linalg.matrix_norm(W - control, order)
            >= torch.linalg.matrix_norm(W - best, order) - slack
        )


@given(cases())
def test_scaling_has_the_norm_of_truncation_and_comes_nearer(case):
    W, factors, rank, _ = case
    scaled, clipped_, slack = (
        scale(factors, rank),
        factors.truncate(rank),
        10 * EPS * factors.S[0].item(),
    )
    assert scaled.norm().item() == pytest.approx(clipped_.norm().item(), abs=slack)
    torch.testing.assert_close(
        scaled * W.norm(), W * scaled.norm(), rtol=0, atol=slack * W.norm().item()
    )  # the same direction
    assert (W - scaled).norm() <= (W - clipped_).norm() + slack


@given(cases())
def test_smallest_is_what_truncation_leaves(case):
    W, factors, rank, _ = case
    whole = smallest(factors, rank) + factors.truncate(min(W.shape) - rank)
    torch.testing.assert_close(whole, W, rtol=0, atol=EPS * factors.S[0].item())


@given(cases())
def test_random_subspace_is_a_projection_of_the_rows_and_of_that_rank(case):
    W, factors, rank, seed = case
    projected = random_subspace(seed)(factors, rank)
    # In the coordinates of the singular vectors: diag(S) R Rᵀ. Dividing by the small σ costs
    # digits: keep well-conditioned ones.
    assume(factors.S[0] < 1e3 * factors.S[-1])
    P = (factors.U.T @ projected @ factors.Vh.T) / factors.S[:, None]
    identity = torch.eye(len(factors.S), dtype=torch.float64)
    torch.testing.assert_close(P, P.T, rtol=0, atol=1e3 * EPS)
    torch.testing.assert_close(P @ P, P, rtol=0, atol=1e4 * EPS)
    assert P.trace().item() == pytest.approx(rank, abs=1e4 * EPS)
    assert (P - identity).abs().max() > 1e-6 or rank == len(factors.S)


@pytest.mark.parametrize("m, n", [(12, 6), (6, 12), (8, 8)])
def test_random_subspaces_are_nested(m, n):
    factors, how = SVD.of(matrix(m, n)), random_subspace(3)
    for rank in range(1, min(m, n)):
        both = torch.cat(
            [how(factors, rank), how(factors, rank + 1)]
        )  # the rows of both span no more than those of the second
        assert torch.linalg.matrix_rank(both, rtol=1e-9) == rank + 1


def test_random_subspaces_keep_their_share_of_the_energy_on_average():
    # E[R Rᵀ] = r/k · 1 for a uniform span, so each σ² keeps the share r/k: no direction is
    # preferred.
    W, k, rank, n_seeds = matrix(5, 8), 5, 2, 2000
    factors = SVD.of(W)
    kept = torch.stack(
        [
            (factors.U.T @ random_subspace(seed)(factors, rank) @ factors.Vh.T).diagonal()
            / factors.S
            for seed in range(n_seeds)
        ]
    )
    # Each share is Beta(r/2, (k − r)/2), of variance 2 r (k − r) / (k² (k + 2)) = 0.069; five
    # standard errors for five shares
    error = math.sqrt(2 * rank * (k - rank) / (k**2 * (k + 2)) / n_seeds)
    assert (kept.mean(0) - rank / k).abs().max() < 5 * error
    assert kept.var(0).mean().item() == pytest.approx(
        error**2 * n_seeds, rel=0.15
    )  # 2,000 draws: the variance to 3 %


def test_random_subspace_is_decided_by_its_seed_alone():
    one, other = SVD.of(matrix(6, 9)), SVD.of(matrix(9, 6, seed=1))
    how = random_subspace(7)
    first = how(one, 3)
    torch.manual_seed(1)
    how(other, 2), how(one, 5), random_subspace(8)(one, 3)
    assert torch.equal(how(one, 3), first) and torch.equal(random_subspace(7)(one, 3), first)
    assert not torch.allclose(random_subspace(8)(one, 3), first)
    torch.manual_seed(0)
    state = torch.random.get_rng_state()
    how(one, 3)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_two_matrices_with_one_seed_get_subspaces_of_their_own():
    rows = [random_subspace(0)(SVD.of(matrix(8, 8, seed)), 3) for seed in (0, 1)]
    assert torch.linalg.matrix_rank(torch.cat(rows), rtol=1e-9) == 6


@given(cases())
def test_magnitude_keeps_the_largest_entries_as_many_as_the_rank_is_free_to_choose(case):
    W, factors, rank, _ = case
    m, n = W.shape
    n_kept, pruned, slack = (
        rank * (m + n - rank),
        magnitude(factors, rank),
        EPS * factors.S[0].item(),
    )
    expected, largest = torch.zeros_like(W), W.abs().flatten().argsort(descending=True)[:n_kept]
    expected.view(-1)[largest] = W.flatten()[largest]
    torch.testing.assert_close(pruned, expected, rtol=0, atol=slack)
    assert (pruned != 0).sum() == n_kept


def test_a_matrix_of_low_rank_has_that_many_free_numbers():
    # The tangent space of the matrices of rank r at A Bᵀ: all dA Bᵀ + A dBᵀ; its dimension,
    # counted.
    m, n, rank = 5, 7, 3
    A, B = matrix(m, rank), matrix(n, rank, seed=1)
    directions = [torch.kron(row, B) for row in torch.eye(m, dtype=torch.float64)[:, :, None]]
    directions += [torch.kron(A, row) for row in torch.eye(n, dtype=torch.float64)[:, :, None]]
    tangent = torch.cat(directions, dim=1)  # (m n, r (m + n))
    assert torch.linalg.matrix_rank(tangent) == rank * (m + n - rank)


@pytest.mark.parametrize("seed", range(3))
def test_of_equal_magnitudes_the_first_in_reading_order_stay(seed):
    # signs only, so every entry ties, and the factors give them back with different rounding
    W = matrix(6, 4, seed).sign()
    pruned = magnitude(SVD.of(W), 2)
    kept = (pruned != 0).flatten()
    assert kept[:16].all() and not kept[16:].any()


def test_a_matrix_of_zeros_stays_zero_by_every_method():
    zeros = torch.zeros(3, 4)
    for method in CONTROLS:
        assert torch.equal(how_of(method)(SVD.of(zeros), 2), zeros.double())


@pytest.mark.parametrize("method", CONTROLS)
@pytest.mark.parametrize("rank", [-1, 4])
def test_ranks_that_the_matrix_does_not_have_are_refused(method, rank):
    with pytest.raises(ValueError, match=f"rank is {rank}, but this matrix has ranks 0 to 3"):
        how_of(method)(SVD.of(matrix(3, 5)), rank)


def test_an_unknown_method_is_refused():
    with pytest.raises(
        ValueError,
        match=(
            "method is 'lottery', but must be one of svd, random-subspace, smallest, scale,"
            " magnitude, drop, whitened, asvd, gavish-donoho"
        ),
    ):
        how_of("lottery")


def test_batch_bias_by_hand():
    # probabilities (3/4, 1/4) and (1/2, 1/2)
    bias = batch_bias(np.array([[math.log(3), 0], [1.7, 1.7]]))
    assert bias == pytest.approx(
        [(math.log(3 / 4) + math.log(1 / 2)) / 2, (math.log(1 / 4) + math.log(1 / 2)) / 2]
    )


def test_a_clip_that_controls_imitate_is_the_clip(model):
    # what a search writes for method "svd" is what `clipped` writes
    weight = matrices(model, 1, "fc_in")[0].weight
    stand_in = how_of("svd")(SVD.of(weight), 3).float()
    with clipped(model, 1, "fc_in", 0.9):  # a tenth of 32 singular values
        assert torch.equal(weight, stand_in)
