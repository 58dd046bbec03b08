"""Clips that fit what goes into a matrix, and rules that give each matrix a rank of its own."""

import copy
import warnings

import numpy as np
import pytest
import torch
from families import build
from hypothesis import given
from hypothesis import strategies as st

from svdicl_lite.clipping.clip import Clip
from svdicl_lite.clipping.inputs import Inputs, inputs_of
from svdicl_lite.clipping.matrices import matrices
from svdicl_lite.clipping.ranks import (
    energy_rank,
    gavish_donoho_rank,
    only_gavish_donoho,
    without,
)
from svdicl_lite.clipping.svd import SVD
from svdicl_lite.clipping.whitened import (
    OF_INPUTS,
    SingularInputs,
    activation_scaled,
    factors_of_inputs,
    whitened,
)
from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.search.algorithm1 import search_clip_rate
from svdicl_lite.search.cells import Cell
from svdicl_lite.search.demonstrations import demonstration_tokens

RATES = (0.0, 0.5, 0.9)
# Double precision; S has a condition number below 1e6, by RIDGE, and S⁻¹ undoes S up to that.
SLACK = 1e-9


def seen(X):
    """The inputs X (n, tokens)."""
    return Inputs(X @ X.T, X.abs().mean(1), X.shape[1])


def gaussian(m, n, seed):
    return torch.randn(m, n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@st.composite
def cases(draw):
    """W (m, n), inputs X (n, 4 n) of unequal sizes, a rank."""
    m, n, seed = draw(st.integers(1, 8)), draw(st.integers(1, 8)), draw(st.integers(0, 2**31))
    sizes = 10 ** gaussian(n, 1, seed + 1).clamp(-2, 2)
    X = gaussian(n, n, seed + 2) @ (sizes * gaussian(n, 4 * n, seed + 3))
    return gaussian(m, n, seed), X, draw(st.integers(0, min(m, n)))


def test_a_direction_that_inputs_never_take_is_cut_first_though_it_is_larger():
    W = torch.diag(torch.tensor([3.0, 1.0], dtype=torch.float64))
    X = torch.tensor([[0.1, -0.1], [10.0, 10.0]], dtype=torch.float64)  # orthogonal rows
    wanted = torch.diag(torch.tensor([0.0, 1.0], dtype=torch.float64))
    assert torch.allclose(whitened(W, seen(X)).truncate(1), wanted, atol=SLACK)
    assert torch.allclose(activation_scaled(W, seen(X)).truncate(1), wanted, atol=SLACK)
    assert torch.equal(SVD.of(W).truncate(1), W - wanted)  # truncation itself keeps the other
    # σ of W S: S = √2 diag(0.1, 10)
    assert whitened(W, seen(X)).S.tolist() == pytest.approx([10 * 2**0.5, 0.3 * 2**0.5])
    assert activation_scaled(W, seen(X)).S.tolist() == pytest.approx([10**0.5, 3 * 0.1**0.5])


@pytest.mark.filterwarnings("ignore::svdicl_lite.clipping.whitened.SingularInputs")
@pytest.mark.parametrize("method", OF_INPUTS)
@given(cases())
def test_full_rank_is_the_matrix_and_rank_zero_is_zero(method, case):
    W, X, _ = case
    factors = OF_INPUTS[method](W, seen(X), "it")
    torch.testing.assert_close(factors.truncate(min(W.shape)), W, rtol=0, atol=1e-8 * W.abs().max())
    assert not factors.truncate(0).any()


@pytest.mark.filterwarnings("ignore::svdicl_lite.clipping.whitened.SingularInputs")
@given(cases())
def test_no_matrix_of_the_rank_is_nearer_on_the_inputs(case):
    W, X, rank = case
    factors = whitened(W, seen(X))
    error = ((W - factors.truncate(rank)) @ X).norm().item()
    slack = 2e-3 * (W @ X).norm().item()  # √RIDGE, where moments had to be regularised
    assert error == pytest.approx(factors.S[rank:].norm().item(), abs=slack)
    for other in (SVD.of(W), activation_scaled(W, seen(X))):
        assert error <= ((W - other.truncate(rank)) @ X).norm().item() + slack


def test_singular_inputs_are_regularised_and_said():
    W, X = gaussian(4, 6, 0), gaussian(6, 2, 1)
    with pytest.warns(SingularInputs, match=r"of layer 1 q span 2 of 6 directions \(2 tokens"):
        factors = whitened(W, seen(X), "layer 1 q")
    torch.testing.assert_close(factors.truncate(4), W, rtol=0, atol=1e-8)
    assert ((W - factors.truncate(2)) @ X).norm() < 1e-2 * (W @ X).norm()
    with pytest.warns(SingularInputs, match="span 0 of 6 directions"):
        nothing = whitened(W, seen(torch.zeros(6, 3, dtype=torch.float64)))
    torch.testing.assert_close(nothing.truncate(2), SVD.of(W).truncate(2))
    same = activation_scaled(W, seen(torch.zeros(6, 3, dtype=torch.float64)))
    torch.testing.assert_close(same.truncate(2), SVD.of(W).truncate(2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        whitened(W, seen(gaussian(6, 60, 2)))  # enough inputs: nothing to say


def outputs(model, matrix, sequences):
    """What the layer of the matrix puts out over all tokens, without its bias: (tokens, m)."""
    holder = model.get_submodule(matrix.name)
    caught = []
    handle = holder.register_forward_hook(lambda *hooked: caught.append(hooked[2][0]))
    with torch.no_grad():
        for tokens in sequences:
            model(torch.tensor([tokens]))
        handle.remove()
        out = torch.cat(caught)
        return (out if holder.bias is None else out - holder.bias).double()


@pytest.mark.parametrize("name", ["gpt2", "gpt_neox", "llama"])
def test_inputs_are_what_the_layer_multiplies(name):
    """Against the outputs of the layers: W x is what comes out, but for the bias."""
    model, sequences = build(name), [[5, 9, 2, 40, 7], [3, 3, 8]]
    for role in ("o", "fc_out"):
        (matrix,) = matrices(model, 1, role)
        (inputs,) = inputs_of(model, [matrix], sequences)
        out = outputs(model, matrix, sequences)  # (tokens, m)
        W = matrix.weight.double()
        torch.testing.assert_close(W @ inputs.moment @ W.T, out.T @ out, rtol=1e-4, atol=1e-5)
        assert inputs.n_tokens == 8 and inputs.size.shape == (W.shape[1],)
    q, k = matrices(model, 0, "q")[0], matrices(model, 0, "k")[0]
    of_q, of_k = inputs_of(model, [q, k], sequences)  # fused or not, they read the same
    torch.testing.assert_close(of_q.moment, of_k.moment)


@pytest.mark.filterwarnings("ignore::svdicl_lite.clipping.whitened.SingularInputs")
@pytest.mark.parametrize("method", OF_INPUTS)
@pytest.mark.parametrize("name", ["gpt2", "gpt_neox", "llama"])
def test_a_clip_by_inputs_is_taken_back_bit_for_bit(name, method, fingerprint):
    model, sequences = build(name), [[5, 9, 2, 40, 7], [3, 3, 8]]
    before = fingerprint(model)

    def factor(found):
        return factors_of_inputs(model, method, sequences, found)

    clip = Clip(model, 1, "all", factor=factor)
    assert fingerprint(model) == before
    tokens = torch.tensor([[1, 2, 3, 4]])
    read = []
    for factored in (False, True):
        with clip.at(0.9, factored=factored), torch.no_grad():
            read.append(model(tokens).logits)
            assert fingerprint(model) != before
        assert fingerprint(model) == before
    torch.testing.assert_close(*read, rtol=1e-3, atol=1e-3)  # thin layers round otherwise
    with clip.at(0.0):
        assert fingerprint(model) == before


# In a search.


@pytest.fixture
def judges(model, tokenizer, sentiment):
    return [
        ICLEvaluator(model, tokenizer, sentiment, split, n=8, n_shots=4, seeds=(0, 1))
        for split in ("validation", "test")
    ]


@pytest.mark.filterwarnings("ignore::svdicl_lite.clipping.whitened.SingularInputs")
@pytest.mark.parametrize("method", OF_INPUTS)
def test_a_search_fits_the_demonstrations_and_tests_the_clip_that_it_chose(
    method, model, judges, fingerprint
):
    before = fingerprint(model)
    validation, test = judges
    found = search_clip_rate(model, *judges, "mlp", 1, clip_rates=RATES, method=method)
    shown = demonstration_tokens(validation)
    clip = Clip(
        model, 1, "mlp", factor=lambda found: factors_of_inputs(model, method, shown, found)
    )
    for rate, outcome in zip(RATES, found.validation):
        with clip.at(rate):
            np.testing.assert_allclose(outcome.scores, validation().scores, atol=1e-3)
    with clip.at(found.clip_rate):
        np.testing.assert_allclose(found.test_after.scores, test().scores, atol=1e-3)
    assert fingerprint(model) == before


def test_demonstrations_are_read_up_to_their_last_label(judges, tokenizer):
    of_validation, of_test = (demonstration_tokens(judge) for judge in judges)
    assert of_validation == of_test and len(of_validation) == 2
    for tokens in of_validation:
        text = tokenizer.decode(tokens)
        assert text.startswith("text:") and text.count("sentiment:") == 4
        assert text.endswith(("neg", "pos"))


def test_what_a_clip_by_inputs_cannot_do_is_said(model, tokenizer, sentiment, judges):
    bare = ICLEvaluator(model, tokenizer, sentiment, n=4, n_shots=0, seeds=(0,))
    with pytest.raises(ValueError, match="no demonstrations; take one shot or more"):
        Cell(1, "mlp", 0.5, method="whitened").clip(model, bare)
    other = ICLEvaluator(model, tokenizer, sentiment, "test", n=8, n_shots=4, seeds=(2, 3))
    with pytest.raises(ValueError, match="validation and test have others; give both the same"):
        search_clip_rate(model, judges[0], other, layer=1, method="asvd")
    mixture = build("mixtral")
    with pytest.raises(ValueError, match="inputs of layer 0 gate of expert 0 cannot be seen"):
        inputs_of(mixture, matrices(mixture, 0, "mlp"), [[1, 2]])


# Ranks.


def test_the_threshold_is_gavish_and_donoho_s():
    # ω(1) = 2.86 and ω(0.5) = 0.07 − 0.2375 + 0.91 + 1.43 = 2.1725; the median is 1
    S = torch.tensor([2.9, 2.8, 1.0, 1.0, 0.5])
    assert gavish_donoho_rank(S, 5, 5) == 1
    assert gavish_donoho_rank(S, 5, 10) == gavish_donoho_rank(S, 10, 5) == 2


@pytest.mark.parametrize("m, n", [(60, 60), (40, 80), (80, 40)])
def test_the_rank_under_noise_is_found(m, n):
    # Noise of deviation 1 reaches √m + √n; the three components stand at five times that.
    noise = gaussian(m, n, 0)
    factors = SVD.of(gaussian(m, n, 1))
    planted = 5 * (m**0.5 + n**0.5) * factors.U[:, :3] @ factors.Vh[:3]
    found = SVD.of(planted + noise)
    assert gavish_donoho_rank(found.S, m, n) == 3
    assert torch.equal(only_gavish_donoho(found, 1), found.truncate(3))
    assert gavish_donoho_rank(SVD.of(noise).S, m, n) == 0


def test_energy_keeps_the_least_rank_that_holds_the_share():
    S = torch.tensor([2.0, 1.0, 1.0])  # energies 4, 1, 1 of 6
    shares = {0: 0, 0.5: 1, 0.66: 1, 0.67: 2, 0.84: 3, 1: 3}
    assert {share: energy_rank(S, share) for share in shares} == shares
    assert energy_rank(torch.zeros(3), 0.9) == 0
    with pytest.raises(ValueError, match="share is 90, but must be a share"):
        energy_rank(S, 90)


def test_components_go_wherever_they_stand():
    W = torch.diag(torch.tensor([3.0, 2.0, 1.0], dtype=torch.float64))
    left = without(SVD.of(W), torch.tensor([True, False, True]))
    torch.testing.assert_close(left, torch.diag(torch.tensor([0.0, 2.0, 0.0]).double()))
    none = without(SVD.of(W), torch.zeros(3, dtype=torch.bool))
    torch.testing.assert_close(none, W)


def test_auto_cuts_each_matrix_at_its_noise_and_says_the_share(model, judges):
    for role, rank in (("fc_in", 2), ("fc_out", 5)):
        (matrix,) = matrices(model, 1, role)
        factors = SVD.of(matrix.weight)
        S = torch.where(torch.arange(32) < rank, 100.0, 1.0).double()
        matrix.write((factors.U * S) @ factors.Vh)
    found = search_clip_rate(model, *judges, "mlp", 1, clip_rates="auto")
    assert found.clip_rates == (0, 1 - 7 / 64)
    assert found.cells[1].method == "gavish-donoho"
    by_hand = copy.deepcopy(model)
    for role, rank in (("fc_in", 2), ("fc_out", 5)):
        (matrix,) = matrices(by_hand, 1, role)
        matrix.write(SVD.of(matrix.weight).truncate(rank))
    judges[0].model = by_hand
    np.testing.assert_allclose(found.validation[1].scores, judges[0]().scores, atol=1e-3)


def test_auto_with_another_method_or_another_word_is_refused(model, judges):
    with pytest.raises(ValueError, match="method is 'scale', but clip_rates 'auto' cut by svd"):
        search_clip_rate(model, *judges, layer=1, clip_rates="auto", method="scale")
    with pytest.raises(ValueError, match="clip_rates is 'all', but must be 'auto' or a list"):
        search_clip_rate(model, *judges, layer=1, clip_rates="all")
