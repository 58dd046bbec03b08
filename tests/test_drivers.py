"""A matrix whose fastest factoring does not converge is factored in another way, or refused."""

import warnings

import numpy as np
import pytest
import torch

from svdicl_lite.clipping import drivers
from svdicl_lite.clipping.clip import Clip
from svdicl_lite.clipping.svd import SVD, singular_values


def matrix(m, n, smallest=1e-3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    draw = lambda rows: torch.randn(rows, n, generator=generator, dtype=torch.float64)
    U, V = torch.linalg.qr(draw(m))[0], torch.linalg.qr(draw(n))[0]
    return U * torch.logspace(0, np.log10(smallest), n, dtype=torch.float64) @ V.T


@pytest.fixture
def without_gesdd(monkeypatch):
    """What torch says of a matrix on which LAPACK's gesdd does not converge."""

    def fails(*args, **kwargs):
        raise torch.linalg.LinAlgError("linalg.svd: The algorithm failed to converge")

    monkeypatch.setattr(torch.linalg, "svd", fails)
    monkeypatch.setattr(torch.linalg, "svdvals", fails)


@pytest.fixture
def without_gesvd(without_gesdd, monkeypatch):
    def fails(*args, **kwargs):
        raise np.linalg.LinAlgError("SVD did not converge")

    monkeypatch.setattr("scipy.linalg.svd", fails)


def assert_svd(factors, W, error):
    U, S, Vh = factors
    eye = torch.eye(len(S), dtype=torch.float64)
    for product, wanted in ((U.T @ U, eye), (Vh @ Vh.T, eye), (U * S @ Vh, W)):
        torch.testing.assert_close(product, wanted, rtol=0, atol=error)
    assert (S.diff() <= 0).all()


@pytest.mark.parametrize("shape", [(9, 9), (40, 12), (12, 40)])
def test_gesvd_takes_over_in_silence(shape, without_gesdd):
    tall = matrix(max(shape), min(shape), 1e-12)
    W = tall if shape[0] >= shape[1] else tall.T
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = SVD.of(W)
    assert_svd((found.U, found.S, found.Vh), W, 1e-13)
    np.testing.assert_allclose(singular_values(W), found.S, rtol=0, atol=1e-14)


@pytest.mark.parametrize("smallest", [1e-3, 1e-14])
def test_the_gram_matrix_comes_last_and_says_so(smallest, without_gesvd):
    W = matrix(40, 12, smallest)
    with pytest.warns(drivers.GramWarning, match="40 × 12 .* below 1e-08 of the largest"):
        found = SVD.of(W)
    # the basis and the orthonormality are exact; S is to 1e-8 of the largest
    assert_svd((found.U, found.S, found.Vh), W, 1e-8)
    known = np.logspace(0, np.log10(smallest), 12)
    np.testing.assert_allclose(found.S, known, rtol=0, atol=1e-8)


def test_where_one_matrix_of_several_fails_the_others_are_as_ever(monkeypatch):
    weights = [matrix(9, 5, seed=seed) for seed in range(3)]
    wanted = SVD.of_all(weights)
    torch_svd = torch.linalg.svd

    def fails_in_batches(W, **kwargs):
        if W.ndim == 3:
            raise torch.linalg.LinAlgError("linalg.svd: (Batch element 1): failed to converge")
        return torch_svd(W, **kwargs)

    monkeypatch.setattr(torch.linalg, "svd", fails_in_batches)
    for found, known in zip(SVD.of_all(weights), wanted, strict=True):
        torch.testing.assert_close(found.S, known.S, rtol=0, atol=1e-14)


def test_what_nothing_can_factor_is_one_sentence_that_names_its_layer(
    pristine_model, without_gesvd, monkeypatch
):
    def fails(*args, **kwargs):
        raise torch.linalg.LinAlgError("linalg.eigh: failed to converge")

    monkeypatch.setattr(torch.linalg, "eigh", fails)
    with pytest.raises(ValueError, match="cannot clip layer 1 .* neither gesdd nor gesvd nor"):
        Clip(pristine_model, 1, "fc_out").apply(0.5)
