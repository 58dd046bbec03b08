"""The rule that asks the gradient: what it predicts is the slope of the loss."""

from functools import cache

import numpy as np
import pytest
import rule_prompts
import torch
from families import build
from rule_prompts import RATES, drawn_prompts

from svdicl_lite.clipping.matrices import matrices
from svdicl_lite.clipping.svd import SVD, rank_at
from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.search.gradient_sign import gradient_sign
from svdicl_lite.search.rules.gradient import gradient_table, predicted_changes
from svdicl_lite.search.rules.label_loss import label_gradients
from svdicl_lite.search.rules.question import Question
from svdicl_lite.search.rules.registry import RULES, layer_of, rule_table
from svdicl_lite.search.without_rate import compare

# Fixtures: pytest looks for their names here.
testing = rule_prompts.testing
validation = rule_prompts.validation
STEP = 1e-2
MIXTURES = ("qwen2_moe",)  # their experts know no float64


def label_loss(model, prompts):
    """By definition: each prompt read whole, the mean of −log softmax of the right answer."""
    losses = []
    for context, answers, label in zip(prompts.contexts, prompts.continuations, prompts.labels):
        scores = []
        for answer in answers:
            logits = model(torch.tensor([context + answer])).logits[0, -len(answer) - 1 : -1]
            told = logits.log_softmax(-1) if prompts.of_options else logits
            scores.append(told.gather(1, torch.tensor(answer)[:, None]).mean())
        losses.append(-torch.stack(scores).log_softmax(0)[label])
    return torch.stack(losses).mean()


@cache
def in_double(name):
    """A tiny model in float64, for differences that rounding would hide."""
    model = build(name)
    return model if name in MIXTURES else model.double()


# The gradient.


def test_components_whose_growth_raises_the_loss_are_predicted_to_lower_it_when_they_go():
    # W = 3 e1 e2ᵀ + 2 e2 e1ᵀ, so g_1 = G[0, 1] and g_2 = G[1, 0]
    W = torch.tensor([[0.0, 3.0, 0.0], [2.0, 0.0, 0.0]])
    G = torch.tensor([[9.0, 0.5, 9.0], [-0.25, 9.0, 9.0]])
    assert predicted_changes(SVD.of(W), G).tolist() == pytest.approx([-1.5, 0.5])


@pytest.mark.parametrize("of_options", [False, True], ids=["words", "options"])
@pytest.mark.parametrize("name", ["gpt2", "gpt_neox", "llama", "qwen2_moe"])
def test_predicted_changes_are_the_slope_of_the_loss_when_a_component_shrinks(name, of_options):
    """Against differences of the loss by its definition: W − ε σ_i u_i v_iᵀ, both ways. gpt2 keeps
    matrices transposed, gpt_neox interleaved, a mixture all experts in one parameter.
    """
    model, prompts = in_double(name), drawn_prompts(of_options)
    found = matrices(model, 1)
    chosen = [found[0], found[1], found[len(found) // 2], found[-1]]
    gradients = label_gradients(model, chosen, [prompts])
    for matrix, gradient in zip(chosen, gradients):
        factors, before = SVD.of(matrix.weight), matrix.weight.clone()
        predicted = predicted_changes(factors, gradient)
        i = int(predicted.abs().argmax())
        part = factors.S[i] * torch.outer(factors.U[:, i], factors.Vh[i])
        losses = []
        for step in (STEP, -STEP):
            matrix.write(before - step * part)
            with torch.no_grad():
                losses.append(label_loss(model, prompts).item())
        matrix.write(before)
        slope = (losses[0] - losses[1]) / (2 * STEP)
        # The third order is STEP² = 1e-4 of it; some layers compute in float32, and 1e-7 of
        # a loss near 1 is divided by 2 STEP.
        assert predicted[i].item() == pytest.approx(slope, rel=3e-4, abs=2e-5)


def test_a_batch_more_changes_nothing(monkeypatch):
    model, prompts = in_double("llama"), drawn_prompts(n=7)
    found = matrices(model, 0, "q") + matrices(model, 2, "fc_out")
    at_once = label_gradients(model, found, [prompts])
    monkeypatch.setattr("svdicl_lite.search.rules.label_loss.PROMPTS_AT_ONCE", 3)
    for one, other in zip(at_once, label_gradients(model, found, [prompts])):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-9)


def test_taking_gradients_leaves_weights_flags_and_gradients_as_they_were(model, fingerprint):
    frozen, other = list(model.parameters())[:2]
    frozen.requires_grad_(False)
    other.grad = torch.ones_like(other)
    before = fingerprint(model)
    with torch.inference_mode():
        label_gradients(model, matrices(model, 1, "attn"), [drawn_prompts()])
    assert fingerprint(model) == before
    assert not frozen.requires_grad and other.requires_grad and (other.grad == 1).all()
    assert all(p.grad is None for p in model.parameters() if p is not other)


def test_the_table_sums_what_each_rate_takes(model, validation):
    (matrix,) = matrices(model, 1, "fc_in")
    table = gradient_table(validation, [matrix], (0, 0.5, 1))
    (gradient,) = label_gradients(model, [matrix], validation.groups)
    changes = predicted_changes(SVD.of(matrix.weight), gradient)
    wanted = [0, changes[rank_at(32, 0.5) :].sum(), changes.sum()]
    assert table["predicted_change"].tolist() == pytest.approx([float(x) for x in wanted])


def test_the_score_of_a_module_is_the_fall_that_its_matrices_promise_together(model, validation):
    scores = rule_table(model, "gradient", ("mlp", "q"), RATES, validation)
    assert len(scores) == 2 * 3 * 2 and set(scores["clip_rate"]) == {0.5, 0.9}
    found = matrices(model, 2, "mlp") + matrices(model, 2, "q")
    of_matrices = gradient_table(validation, found, (0.9,)).set_index("role")["predicted_change"]
    cell = scores.query("layer == 2 and clip_rate == 0.9").set_index("module")["score"]
    assert cell["mlp"] == pytest.approx(-of_matrices[["fc_in", "fc_out"]].sum())
    assert cell["q"] == pytest.approx(-of_matrices["q"])


def test_a_planted_component_that_hurts_is_found(model, tokenizer, sentiment):
    """A small component that raises the loss, in a layer of three whose clips take nothing else."""
    evaluator = ICLEvaluator(model, tokenizer, sentiment, n=20, n_shots=2, seeds=(0,))
    halves = []
    for layer in range(3):
        (matrix,) = matrices(model, layer, "fc_out")
        factors = SVD.of(matrix.weight)
        U, Vh = factors.U[:, :16], factors.Vh[:16]
        matrix.write(U @ Vh)  # 16 singular values of 1, the others 0
        halves.append((matrix, U, Vh))
    matrix, U, Vh = halves[1]
    (gradient,) = label_gradients(model, [matrix], evaluator.groups)
    rest = gradient.double() - U @ (U.T @ gradient.double())
    rest = SVD.of(rest - rest @ Vh.T @ Vh)  # of what is orthogonal to all that is there
    matrix.write(U @ Vh + 0.02 * torch.outer(rest.U[:, 0], rest.Vh[0]))
    question = Question(model, ("fc_out",), (0, 0.5), evaluator)
    table = RULES["gradient"].scores(question).set_index("layer")["score"]
    # to first order in what was planted; the gradient has moved a little since
    assert table[1] == pytest.approx(0.02 * rest.S[0].item(), rel=0.1)
    assert table[[0, 2]].abs().max() < 1e-4 * table[1]
    assert layer_of("gradient", question) == 1


def test_the_sign_of_the_gradient_takes_what_hurts_wherever_it_stands(
    model, validation, testing, fingerprint
):
    before = fingerprint(model)
    found = matrices(model, 1, "mlp")
    gradients = label_gradients(model, found, validation.groups)
    factors = [SVD.of(matrix.weight) for matrix in found]
    changes = [predicted_changes(*pair) for pair in zip(factors, gradients)]
    with gradient_sign(validation, found) as kept:
        for matrix, of_matrix, change, left in zip(found, factors, changes, kept):
            stays = (change >= 0).nonzero()[:, 0]
            assert left == len(stays) and 0 < left < 32
            assert stays.tolist() != list(range(left))  # no truncation
            wanted = sum(
                of_matrix.S[i] * torch.outer(of_matrix.U[:, i], of_matrix.Vh[i]) for i in stays
            )
            torch.testing.assert_close(matrix.weight.double(), wanted, rtol=0, atol=1e-6)
    assert fingerprint(model) == before
    compared = compare(validation, testing, lambda: gradient_sign(validation, found))
    assert not np.array_equal(compared.test_before.scores, compared.test_after.scores)
    assert fingerprint(model) == before
