import copy
import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from svdicl_lite.clipping.clip import clipped
from svdicl_lite.clipping.controls import (
    CONTROLS,
    drop,
    dropped,
    how_of,
    magnitude,
    random_subspace,
    scale,
    smallest,
)
from svdicl_lite.clipping.matrices import matrices
from svdicl_lite.clipping.svd import SVD
from svdicl_lite.scoring.batches import Plan
from svdicl_lite.scoring.calibration import CONTENT_FREE, batch_bias, calibrate, contextual_bias
from svdicl_lite.scoring.evaluation import Evaluation
from svdicl_lite.scoring.fast import fast_scores
from svdicl_lite.scoring.plain import plain_scores
from svdicl_lite.scoring.prompts import draw_demonstrations, encode, render
from svdicl_lite.tasks.task import Task

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


# Dropped layers.


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_a_dropped_layer_is_a_model_without_it(model, layer):
    tokens = torch.randint(0, 100, (2, 9), generator=torch.Generator().manual_seed(0))
    without = copy.deepcopy(model)
    del without.transformer.h[layer]
    with torch.no_grad():
        before = model(tokens, use_cache=False).logits
        with dropped(model, layer):
            dropped_logits = model(tokens, use_cache=False).logits
        assert torch.equal(dropped_logits, without(tokens, use_cache=False).logits)
        assert torch.equal(model(tokens, use_cache=False).logits, before) and not torch.allclose(
            dropped_logits, before
        )


@pytest.mark.parametrize("family", ["llama", "bloom", "falcon", "gpt_neox", "gemma2", "mixtral"])
def test_a_dropped_layer_is_gone_from_blocks_of_any_shape(family, monkeypatch):
    from transformers import CONFIG_MAPPING, AutoModelForCausalLM

    sizes = dict(
        vocab_size=50,
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=3,
        num_attention_heads=2,
        num_key_value_heads=2,
    )
    if family == "gemma2":
        sizes["head_dim"] = 8
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(
        CONFIG_MAPPING[family](**sizes, pad_token_id=0, bos_token_id=1, eos_token_id=2)
    ).eval()
    monkeypatch.setattr("svdicl_lite.clipping.controls.n_layers", lambda model: 3)
    blocks = next(
        module
        for module in model.modules()
        if isinstance(module, torch.nn.ModuleList) and len(module) == 3
    )
    seen = []
    for block in blocks:
        block.register_forward_pre_hook(
            lambda _, args, kwargs: seen.append(args[0] if args else kwargs["hidden_states"]),
            with_kwargs=True,
        )
    with torch.no_grad():
        model(torch.arange(7)[None])
        assert len(seen) == 3 and not torch.allclose(seen[1], seen[2])
        seen.clear()
        with dropped(model, 1):
            model(torch.arange(7)[None])
    assert torch.equal(seen[1], seen[2])


@pytest.mark.parametrize("layer", [0, 2])
def test_a_dropped_layer_scores_the_same_from_cached_prefixes(model, tokenizer, sentiment, layer):
    words = sentiment.words()
    prompts = encode(
        tokenizer,
        sentiment,
        words,
        draw_demonstrations(sentiment, 3, 0),
        list(sentiment.splits["test"].select(range(6))),
    )
    before = plain_scores(model, prompts)
    with dropped(model, layer):
        fast, plain = fast_scores(model, [Plan(prompts, 4)])[0], plain_scores(model, prompts)
    np.testing.assert_allclose(fast, plain, rtol=0, atol=1e-4)  # float32, as in test_evaluate.py
    assert np.abs(plain - before).max() > 0.01


def test_dropping_every_matrix_of_a_block_leaves_its_biases(model):
    tokens = torch.randint(0, 100, (1, 9), generator=torch.Generator().manual_seed(0))
    block, outputs = model.transformer.h[1], []
    block.register_forward_hook(lambda _, args, output: outputs.append(output - args[0]))
    with torch.no_grad():
        for weight in (matrix.weight for matrix in matrices(model, 1, "all")):
            weight.copy_(drop(SVD.of(weight), 4))
        model(tokens)
        left = block.attn.c_proj.bias + block.mlp.c_proj.bias
    assert left.abs().min() > 0
    torch.testing.assert_close(
        outputs[0], left.expand_as(outputs[0]), rtol=0, atol=1e-5
    )  # float32 sums of size 1 to 10


def test_a_dropped_layer_comes_back_after_an_error_and_layers_that_are_not_there_are_refused(
    model, fingerprint
):
    before = fingerprint(model)
    with pytest.raises(RuntimeError), dropped(model, 1):
        raise RuntimeError
    assert fingerprint(model) == before and not model.transformer.h[1]._forward_hooks
    for layer in (-1, 3):
        with (
            pytest.raises(IndexError, match=f"layer is {layer}, but this model has layers 0 to 2"),
            dropped(model, layer),
        ):
            pass


# Calibration.

scores = (
    st.integers(1, 12)
    .flatmap(
        lambda n: st.lists(
            st.lists(st.floats(-20, 20), min_size=3, max_size=3), min_size=n, max_size=n
        )
    )
    .map(np.array)
)


def test_batch_bias_by_hand():
    # probabilities (3/4, 1/4) and (1/2, 1/2)
    bias = batch_bias(np.array([[math.log(3), 0], [1.7, 1.7]]))
    assert bias == pytest.approx(
        [(math.log(3 / 4) + math.log(1 / 2)) / 2, (math.log(1 / 4) + math.log(1 / 2)) / 2]
    )


@given(scores, st.lists(st.floats(-5, 5), min_size=3, max_size=3))
def test_batch_calibration_undoes_a_preference_whatever_it_was(scores, preference):
    labels = np.zeros(len(scores), dtype=int)
    one, other = Evaluation(scores, labels), Evaluation(scores + preference, labels)
    calibrated, also = (
        calibrate(one, batch_bias(one.scores)).scores,
        calibrate(other, batch_bias(other.scores)).scores,
    )
    # equal up to a constant per example, which no argmax hears; scores of some 20 at 2e-16
    np.testing.assert_allclose(
        calibrated - calibrated[:, :1], also - also[:, :1], rtol=0, atol=1e-12
    )
    np.testing.assert_allclose(
        np.ptp(batch_bias(calibrated)), 0, atol=1e-12
    )  # no preference is left


def test_calibration_from_validation_mends_a_model_that_always_gave_one_answer():
    rng = np.random.default_rng(0)

    def judged(n):
        labels = rng.integers(2, size=n)
        return Evaluation(
            np.stack([10 + rng.normal(size=n), 2.0 * labels + rng.normal(size=n)], axis=1), labels
        )

    validation, test = judged(500), judged(1000)
    assert test.balanced_accuracy < 0.51
    mended = calibrate(test, batch_bias(validation.scores))
    # classes 2 apart, noise √2: the best threshold gets Φ(1/√2) = 76 %; four standard deviations of
    # 1,000
    assert mended.accuracy == pytest.approx(0.76, abs=4 * math.sqrt(0.76 * 0.24 / 1000))
    assert np.array_equal(mended.labels, test.labels) and test.balanced_accuracy < 0.51


def test_sets_of_demonstrations_may_have_their_own_bias():
    evaluation = Evaluation(np.array([[5.0, 0], [0, 5]]), np.array([1, 0]))
    assert calibrate(evaluation, np.array([[9, 0], [0, 9]])).accuracy == 1


@pytest.mark.parametrize("shape", [(), (1,), (2,), (4,), (2, 1), (3, 2)])
def test_a_bias_of_another_shape_is_refused(shape):
    with pytest.raises(
        ValueError, match=r"the bias has shape .*, but must have \(3,\) or \(2, 3\)"
    ):
        calibrate(Evaluation(np.zeros((2, 3)), np.zeros(2)), np.zeros(shape))


def test_content_free_prompts_hold_the_demonstrations_and_nothing_to_judge(tokenizer, sentiment):
    task = Task(
        "pair", "text: {first} text: {second} sentiment: {label}", ("a", "b"), ("neg", "pos")
    )
    demonstrations = [
        {"first": "good", "second": "bad", "label": 1},
        {"first": "bad", "second": "bad", "label": 0},
    ]
    asked = []

    def score(prompts):
        asked.append(prompts)
        return np.log([[0.8, 0.2], [0.5, 0.5], [0.2, 0.8]])

    bias = contextual_bias(tokenizer, task, task.words(), demonstrations, score)
    assert bias == pytest.approx(np.log([0.5, 0.5]), abs=1e-12)
    shown = "".join(
        render(task, example, task.label_words[example["label"]]) for example in demonstrations
    )
    blanks = [shown + f"text: {blank} text: {blank} sentiment:" for blank in CONTENT_FREE]
    assert asked[0].contexts == tokenizer(blanks)["input_ids"] and len(asked) == 1


def test_contextual_calibration_leaves_no_preference_where_there_is_nothing_to_judge(
    pristine_model, tokenizer, sentiment
):
    words, demonstrations, asked = sentiment.words(), draw_demonstrations(sentiment, 4, 0), []

    def score(prompts):
        asked.append(plain_scores(pristine_model, prompts))
        return asked[-1]

    bias = contextual_bias(tokenizer, sentiment, words, demonstrations, score)
    p = np.exp(asked[0] - asked[0].max(1, keepdims=True))
    p = (p / p.sum(1, keepdims=True)).mean(0)
    # dividing by the mean probabilities makes them equal; scores are float32
    assert p / np.exp(bias) == pytest.approx([1, 1], abs=1e-6) and abs(bias[0] - bias[1]) > 1e-3


def test_a_clip_that_controls_imitate_is_the_clip(model):
    # what a search writes for method "svd" is what `clipped` writes
    weight = matrices(model, 1, "fc_in")[0].weight
    stand_in = how_of("svd")(SVD.of(weight), 3).float()
    with clipped(model, 1, "fc_in", 0.9):  # a tenth of 32 singular values
        assert torch.equal(weight, stand_in)
