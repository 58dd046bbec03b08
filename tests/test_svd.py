import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from svdicl_lite.clipping.svd import (
    CLIP_RATES,
    SVD,
    check_clip_rate,
    condition_number,
    energy,
    rank_at,
    singular_values,
    stable_rank,
)

# Double precision rounds at 2.2e-16. An SVD of a matrix up to 9 × 9 errs by a small multiple of
# that times σ_max, and so do
# the few products taken here; 1e-13 · σ_max leaves a factor of some hundred.
EPS = 1e-13


@st.composite
def cases(draw, extra_ranks=0):
    """A Gaussian matrix (m, n) of any shape and scale, in double precision, and a rank from 0 to
    min(m, n).
    """
    m, n = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32 - 1)))
    W = torch.randn(m, n, generator=generator, dtype=torch.float64) * 10.0 ** draw(
        st.integers(-3, 3)
    )
    return W, draw(st.integers(0, min(m, n))), generator


def planted(spectrum, m, n, seed=0):
    """A matrix (m, n) with these singular values."""
    generator = torch.Generator().manual_seed(seed)
    S = torch.as_tensor(spectrum, dtype=torch.float64)
    U, _ = torch.linalg.qr(torch.randn(m, len(S), generator=generator, dtype=torch.float64))
    V, _ = torch.linalg.qr(torch.randn(n, len(S), generator=generator, dtype=torch.float64))
    return (U * S) @ V.T


@given(cases())
def test_factors_are_thin_orthonormal_and_descending(case):
    W, _, _ = case
    m, n = W.shape
    svd, k = SVD.of(W), min(W.shape)
    assert svd.U.shape == (m, k) and svd.S.shape == (k,) and svd.Vh.shape == (k, n)
    assert (svd.S >= 0).all() and (svd.S.diff() <= 0).all()
    identity = torch.eye(k, dtype=torch.float64)
    torch.testing.assert_close(svd.U.T @ svd.U, identity, rtol=0, atol=EPS)
    torch.testing.assert_close(svd.Vh @ svd.Vh.T, identity, rtol=0, atol=EPS)


@given(cases())
def test_full_rank_gives_the_matrix_back_and_rank_zero_gives_zero(case):
    W, _, _ = case
    svd = SVD.of(W)
    torch.testing.assert_close(svd.truncate(min(W.shape)), W, rtol=0, atol=EPS * svd.S[0].item())
    assert torch.equal(svd.truncate(0), torch.zeros_like(W))


@given(cases())
def test_error_of_truncation_is_the_tail_of_the_spectrum(case):
    W, rank, _ = case
    svd = SVD.of(W)
    S, error, slack = svd.S, W - svd.truncate(rank), EPS * svd.S[0].item()
    tail = S[rank:]
    assert torch.linalg.matrix_norm(error).item() == pytest.approx(
        tail.square().sum().sqrt().item(), abs=slack
    )
    assert torch.linalg.matrix_norm(error, 2).item() == pytest.approx(
        tail[0].item() if len(tail) else 0.0, abs=slack
    )


@given(cases())
def test_no_other_matrix_of_the_same_rank_is_nearer(case):
    W, rank, generator = case
    assume(rank > 0)
    svd = SVD.of(W)
    best = svd.truncate(rank)
    slack = EPS * svd.S[0].item()
    left = svd.U[:, :rank] * svd.S[:rank]
    for step in (
        1.0,
        1e-1,
        1e-3,
    ):  # rivals: near the optimum, and each one the best its column space allows
        rival_left = left + step * svd.S[0] * torch.randn(
            left.shape, generator=generator, dtype=torch.float64
        )
        basis, _ = torch.linalg.qr(rival_left)
        for rival in (rival_left @ svd.Vh[:rank], basis @ (basis.T @ W)):
            for norm in ("fro", 2):
                assert (
                    torch.linalg.matrix_norm(W - best, norm)
                    <= torch.linalg.matrix_norm(W - rival, norm) + slack
                )


@given(cases())
def test_truncation_has_the_rank_it_was_asked_for(case):
    W, rank, _ = case
    svd = SVD.of(W)
    S = torch.linalg.svdvals(svd.truncate(rank))
    torch.testing.assert_close(S[:rank], svd.S[:rank], rtol=0, atol=EPS * svd.S[0].item())
    assert (S[rank:] <= EPS * svd.S[0]).all()


@given(cases())
def test_truncation_commutes_with_transpose(case):
    W, rank, _ = case
    svd = SVD.of(W)
    if 0 < rank < len(svd.S):  # without a gap the best approximation is not unique
        assume(svd.S[rank - 1] - svd.S[rank] > 1e-2 * svd.S[0])
    # A rounding error E turns the kept subspace by at most ‖E‖ / gap (Davis–Kahan): a hundredfold
    # of EPS for a gap of 1e-2.
    torch.testing.assert_close(
        SVD.of(W.T).truncate(rank), svd.truncate(rank).T, rtol=0, atol=100 * EPS * svd.S[0].item()
    )


@given(cases())
def test_singular_values_are_roots_of_the_eigenvalues_of_the_gram_matrix(case):
    W, _, _ = case
    gram = W @ W.T if W.shape[0] <= W.shape[1] else W.T @ W
    S = singular_values(W)
    # Compared as squares: the root would blow up the rounding of an eigenvalue near 0.
    torch.testing.assert_close(
        S.square(), torch.linalg.eigvalsh(gram).flip(0), rtol=0, atol=EPS * S[0].item() ** 2
    )


@given(cases())
def test_many_matrices_are_factored_as_each_alone(case):
    """Of any shapes in any order: those of one shape, also lying on their side, go through one
    batched call.
    """
    W, _, generator = case
    others = [
        torch.randn(shape, generator=generator, dtype=torch.float64)
        for shape in (W.shape, W.T.shape, (3, 2))
    ]
    together = [W, others[2], others[1], W.T, others[0]]
    for svd, one in zip(SVD.of_all(together), together, strict=True):
        (m, n), k, slack = one.shape, min(one.shape), EPS * singular_values(one)[0].item()
        assert svd.U.shape == (m, k) and svd.Vh.shape == (k, n)
        torch.testing.assert_close(svd.S, singular_values(one), rtol=0, atol=slack)
        torch.testing.assert_close(svd.truncate(k), one, rtol=0, atol=slack)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_one_matrix_that_is_not_finite_spoils_the_batch(bad):
    with pytest.raises(ValueError, match=r"shape \(2, 3\) holds NaN or infinity"):
        SVD.of_all([torch.eye(3), torch.full((2, 3), bad)])


def test_tiny_singular_values_are_as_exact_as_large_ones():
    """To 1e-12 of σ_max, where the eigenvalues of the Gram matrix would be off by the root of the
    rounding error, 1e-8.
    """
    spectrum = torch.logspace(0, -11, 12, dtype=torch.float64)
    for W in (planted(spectrum, 40, 12), planted(spectrum, 12, 40)):
        torch.testing.assert_close(SVD.of(W).S, spectrum, rtol=0, atol=1e-14)
        torch.testing.assert_close(singular_values(W), spectrum, rtol=0, atol=1e-14)


def test_factors_are_double_and_the_matrix_is_left_alone():
    W = torch.randn(5, 3, generator=torch.Generator().manual_seed(0)).requires_grad_()
    before = W.detach().clone()
    svd = SVD.of(W)
    assert {svd.U.dtype, svd.S.dtype, svd.Vh.dtype, singular_values(W).dtype} == {torch.float64}
    assert not svd.S.requires_grad and torch.equal(W.detach(), before)


@given(st.integers(1, 5000), st.floats(0, 1))
def test_rank_is_in_range(k, clip_rate):
    rank = rank_at(k, clip_rate)
    assert isinstance(rank, int)
    assert rank == 0 if clip_rate == 1 else 1 <= rank <= k


@given(st.integers(1, 5000), st.floats(0, 1), st.floats(0, 1))
def test_rank_falls_as_the_rate_rises_and_grows_with_the_matrix(k, one, other):
    low, high = sorted((one, other))
    assert rank_at(k, low) >= rank_at(k, high)
    assert rank_at(k, low) <= rank_at(k + 1, low)


@pytest.mark.parametrize("k", [1, 5, 10, 40, 128, 768, 1000, 4096])
@pytest.mark.parametrize("number", [float, np.float32])
def test_rank_is_that_of_exact_arithmetic_at_every_thousandth_in_either_precision(k, number):
    wrong = [
        t for t in range(1000) if rank_at(k, number(t / 1000)) != max(1, (1000 - t) * k // 1000)
    ]
    assert wrong == []


def test_nine_tenths_of_ten_leaves_one_where_truncating_floats_leaves_none():
    assert int((1 - 0.9) * 10) == 0  # the trap
    assert rank_at(10, 0.9) == 1
    assert rank_at(1000, 0.9) == 100 and int((1 - 0.9) * 1000) == 99


def test_rates_of_the_paper_on_a_gpt2_sized_matrix():
    assert [rank_at(128, rate) for rate in CLIP_RATES] == [128, 115, 64, 32, 12, 6, 1, 1]


def test_only_rate_one_removes_the_matrix():
    assert [rank_at(k, 1) for k in (1, 7, 128)] == [0, 0, 0]
    assert rank_at(1, 0.999) == 1


@pytest.mark.parametrize(
    "rate", [-0.1, 1.0001, math.nan, math.inf, -math.inf, "True", "0.9", True, False, None, [0.5]]
)
def test_clip_rates_outside_zero_to_one_are_refused(rate):
    with pytest.raises(ValueError, match=r"clip_rate is .*but must be a number in \[0, 1\]"):
        check_clip_rate(rate)
    with pytest.raises(ValueError, match="clip_rate"):
        rank_at(8, rate)


def test_the_refusal_names_the_value():
    with pytest.raises(ValueError, match="clip_rate is 90,"):
        check_clip_rate(90)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_clip_rates_from_numpy_are_numbers_too(dtype):
    rate = np.linspace(0, 1, 5, dtype=dtype)[2]
    assert check_clip_rate(rate) == 0.5


@pytest.mark.parametrize("rank", [-1, 4])
def test_ranks_a_matrix_cannot_have_are_refused(rank):
    with pytest.raises(ValueError, match=f"rank is {rank}, but this matrix has ranks 0 to 3"):
        SVD.of(torch.eye(5, 3)).truncate(rank)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("factor", [SVD.of, singular_values])
def test_matrices_that_are_not_finite_are_refused(factor, bad):
    W = torch.eye(4, 3)
    W[2, 1] = bad
    with pytest.raises(ValueError, match=r"shape \(4, 3\) holds NaN or infinity"):
        factor(W)


@pytest.mark.parametrize("shape", [(4,), (2, 3, 4)])
@pytest.mark.parametrize("factor", [SVD.of, singular_values])
def test_tensors_that_are_no_matrices_are_refused(factor, shape):
    with pytest.raises(ValueError, match="expected a matrix, got a tensor of shape"):
        factor(torch.ones(shape))


def test_condition_number_of_a_planted_spectrum():
    S = singular_values(planted([50.0, 7.0, 0.5], m=9, n=3))
    # σ_min = 0.5 errs by EPS · σ_max, relatively 100 EPS, once in planting and once in finding it
    assert condition_number(S) == pytest.approx(100, rel=200 * EPS)


def test_condition_number_of_a_singular_matrix_is_infinite():
    assert condition_number(singular_values(torch.diag(torch.tensor([3.0, 1.0, 0.0])))) == math.inf
    assert condition_number(singular_values(torch.zeros(2, 2))) == math.inf


@given(cases())
def test_condition_number_ignores_scale_and_is_never_below_one(case):
    W, _, _ = case
    S = singular_values(W)
    assert condition_number(S) >= 1
    assert condition_number(4 * S) == condition_number(S)  # a power of two is exact


@given(cases())
def test_energy_is_what_truncation_keeps(case):
    W, rank, _ = case
    assume(rank > 0)
    svd = SVD.of(W)
    share = energy(svd.S)
    assert share[-1] == 1 and (share.diff() >= 0).all()
    kept = svd.truncate(rank).square().sum() / W.square().sum()
    assert share[rank - 1].item() == pytest.approx(
        kept.item(), abs=EPS * 10
    )  # up to nine squares add up


def test_stable_rank_counts_equal_values_and_overlooks_tiny_ones():
    assert stable_rank(torch.tensor([2.0, 2.0, 2.0])) == 3
    assert stable_rank(torch.tensor([1.0, 1e-3, 1e-3])) == pytest.approx(
        1 + 2e-6, rel=1e-6
    )  # float32 rounds at 6e-8
    assert stable_rank(torch.tensor([2.0, 1.0])) == 1.25
