import json
import shutil
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from svdicl_lite.clipping.clip import clipped
from svdicl_lite.models import loading
from svdicl_lite.models.loading import load_model, model_card
from svdicl_lite.training import linreg
from svdicl_lite.training.linreg import (
    RECIPE,
    Regressor,
    averaging,
    draw,
    least_squares,
    squared_errors,
)

TINY = replace(RECIPE, layers=1, width=16, heads=2, batch=4, stages=(1, 2, 4))
STAGES = range(1, len(RECIPE.stages) + 1)


def prompts(n=3, seed=0, **sizes):
    return draw(n, torch.Generator().manual_seed(seed), **sizes)


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(linreg, "CURVE_N", 8)


@pytest.fixture(scope="module")
def shipped_errors():
    return {stage: squared_errors(linreg.load(stage)) for stage in STAGES}


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """A copy of the shipped folder to damage."""
    shutil.copytree(loading.CHECKPOINTS / "linreg-gpt2", tmp_path / "linreg-gpt2")
    monkeypatch.setattr(loading, "CHECKPOINTS", tmp_path)
    return tmp_path / "linreg-gpt2"


def test_prompts_are_linear_and_standard_normal():
    xs, ys = prompts(4000)
    w = torch.linalg.lstsq(xs, ys[..., None]).solution
    torch.testing.assert_close((xs @ w).squeeze(-1), ys, rtol=0, atol=1e-3)
    for numbers in (xs, w):
        assert (
            numbers.mean().abs() < 0.03 and abs(numbers.std() - 1) < 0.03
        )  # 20,000 numbers: four standard errors are 0.028


def test_a_curriculum_leaves_the_later_coordinates_at_zero():
    xs, ys = prompts(5, dims=2, points=6)
    assert xs.shape == (5, 6, 5) and ys.shape == (5, 6)
    assert (xs[..., 2:] == 0).all() and (xs[..., :2] != 0).all()
    assert torch.linalg.matrix_rank(torch.cat((xs, ys[..., None]), -1)).tolist() == [2] * 5


@torch.no_grad()
def test_a_prediction_sees_its_x_and_the_pairs_before_it_and_nothing_else():
    torch.manual_seed(0)
    model, (xs, ys) = Regressor(TINY).eval(), prompts(1)
    plain = model(xs, ys)
    for i in range(RECIPE.points):
        moved_x, moved_y = xs.clone(), ys.clone()
        moved_x[0, i] += 1
        moved_y[0, i] += 1
        x_moves, y_moves = (
            (model(*moved) - plain)[0] != 0 for moved in ((moved_x, ys), (xs, moved_y))
        )
        assert not x_moves[:i].any() and x_moves[i:].all()
        assert not y_moves[: i + 1].any() and y_moves[i + 1 :].all()


def test_least_squares_is_numpys_shortest_solution_and_exact_with_as_many_pairs_as_dimensions():
    xs, ys = prompts(6)
    guesses = least_squares(xs, ys)
    for i in range(6):
        for k in range(1, RECIPE.points):
            w = np.linalg.lstsq(xs[i, :k].double().numpy(), ys[i, :k].double().numpy(), rcond=None)[
                0
            ]
            assert guesses[i, k].item() == pytest.approx(xs[i, k].double().numpy() @ w, abs=1e-5)
    torch.testing.assert_close(guesses[:, 5:], ys[:, 5:], rtol=0, atol=1e-3)
    assert (guesses[:, 0] == 0).all()


def test_averaging_is_one_step_of_gradient_descent_from_zero():
    xs, ys = prompts(4)
    guesses = averaging(xs, ys)
    for k in range(RECIPE.points):
        w = torch.zeros(4, 5, requires_grad=True)
        if k:
            loss = ((xs[:, :k] @ w[..., None]).squeeze(-1) - ys[:, :k]).square().sum() / (2 * k)
            (gradient,) = torch.autograd.grad(loss, w)
            w = w - gradient
        torch.testing.assert_close(
            guesses[:, k], (xs[:, k] * w).sum(-1).detach(), rtol=0, atol=1e-5
        )


def test_errors_are_normalised_and_the_theory_of_least_squares_holds():
    errors = squared_errors(lambda xs, ys: torch.zeros_like(ys), 4000)
    assert errors.shape == (4000, RECIPE.points) and errors.mean().item() == pytest.approx(
        1, abs=0.08
    )
    # a projection on k random directions leaves (d − k)/d of a random w
    for row, k in zip(linreg.curve(squared_errors(least_squares, 4000)), range(6)):
        wide = 2 * (row["high"] - row["low"])
        assert row["low"] - wide <= 1 - k / 5 <= row["high"] + wide + 1e-6


def test_a_curve_is_mean_and_interval_of_each_column():
    errors = torch.tensor([[1.0, 0.0], [3.0, 0.0], [2.0, 0.0], [2.0, 0.0]])
    first, second = linreg.curve(errors)
    half = 1.96 * errors[:, 0].numpy().std(ddof=1) / 2
    assert (first["examples"], first["n"], first["error"]) == (0, 4, 2.0)
    assert (first["low"], first["high"]) == pytest.approx((2 - half, 2 + half), abs=1e-5)
    assert (second["examples"], second["low"], second["high"]) == (1, 0, 0)


def test_training_keeps_the_weights_of_every_stage(quick):
    stages, made = linreg.train(TINY)
    torch.manual_seed(TINY.seed)
    untrained = Regressor(TINY).state_dict()
    assert len(stages) == 3 and [row["step"] for row in made["curve"]] == [4]
    for before, after in zip((untrained, *stages), stages):
        assert [name for name in after if torch.equal(before[name], after[name])] == [
            "transformer.wte.weight"
        ]  # the word nobody reads


def test_the_same_seed_trains_the_same_weights_and_another_others(quick):
    torch.manual_seed(7)
    one, other, third = (
        linreg.train(recipe)[0][-1] for recipe in (TINY, TINY, replace(TINY, seed=1))
    )
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert not torch.equal(one["read_in.weight"], third["read_in.weight"])


@pytest.mark.parametrize("stage", [0, 5, "last"])
def test_a_stage_that_was_not_shipped_is_refused(stage):
    with pytest.raises(ValueError, match=f"stage is {stage!r}, but must be one of 1 to 4"):
        linreg.load(stage)


def test_seeds_share_the_prompts_evenly():
    with pytest.raises(
        ValueError, match="n is 10, but must be a multiple of 4, the number of seeds"
    ):
        squared_errors(least_squares, 10)


def test_a_damaged_checkpoint_is_one_sentence(shipped):
    weights = shipped / "stage-2.safetensors"
    whole = weights.read_bytes()
    for damage in (whole[: len(whole) // 2], b"", b"<html>502 Bad Gateway</html>"):
        weights.write_bytes(damage)
        with pytest.raises(
            ValueError,
            match=(
                r"the checkpoint .*stage-2\.safetensors is damaged or incomplete \(.+\); fetch or"
                r" train it again$"
            ),
        ):
            linreg.load(2)
    weights.unlink()
    with pytest.raises(ValueError, match="stage-2.safetensors is damaged or incomplete"):
        linreg.load(2)
    linreg.load(1)


def test_missing_weights_and_wrong_shapes_are_named(shipped):
    weights = load_file(shipped / "stage-3.safetensors")
    save_file(
        {name: weight for name, weight in weights.items() if name != "read_out.bias"},
        shipped / "stage-3.safetensors",
    )
    with pytest.raises(ValueError, match=r"incomplete \(.*read_out.bias"):
        linreg.load(3)
    save_file(weights | {"read_out.bias": torch.zeros(2)}, shipped / "stage-3.safetensors")
    with pytest.raises(ValueError, match=r"incomplete \(.*read_out.bias"):
        linreg.load(3)


def test_as_a_text_model_it_is_refused_with_the_way_to_load_it():
    with pytest.raises(
        ValueError,
        match=(
            r"linreg-gpt2 reads numbers, not text, .*load it with"
            r" svdicl_lite.training.linreg.load\(stage\)"
        ),
    ):
        load_model("linreg-gpt2")


def test_the_shipped_weights_are_small_and_the_card_tells_the_recipe():
    card = model_card("linreg-gpt2")
    assert (
        sum(path.stat().st_size for path in (loading.CHECKPOINTS / "linreg-gpt2").iterdir())
        <= 8_000_000
    )
    assert (
        card["recipe"] == json.loads(json.dumps(asdict(RECIPE)))
        and card["curve"][-1]["step"] == RECIPE.stages[-1]
    )
    assert {
        "seconds",
        "cpu_seconds",
        "device",
        "threads",
        "torch",
        "transformers",
        "parameters",
        "test_seeds",
    } <= {*card}


def test_the_card_says_what_is_measured(shipped_errors):
    measured = {f"stage {stage}": errors for stage, errors in shipped_errors.items()}
    measured |= {
        "least_squares": squared_errors(least_squares),
        "averaging": squared_errors(averaging),
    }
    told = model_card("linreg-gpt2")["test"]
    assert {*told} == {*measured}
    for name, errors in measured.items():
        for row, ours in zip(told[name], linreg.curve(errors), strict=True):
            assert row["n"] == ours["n"] == 2048
            assert ours["error"] == pytest.approx(
                row["error"], rel=1e-3, abs=1e-4
            )  # float32 sums in another order


def test_every_stage_does_better_than_the_one_before_and_the_last_nears_least_squares(
    shipped_errors,
):
    means = {stage: errors.mean(0) for stage, errors in shipped_errors.items()}
    for before, after in zip(STAGES, STAGES[1:]):
        gain = shipped_errors[before].mean(1) - shipped_errors[after].mean(
            1
        )  # paired, prompt by prompt
        assert gain.mean() > 4 * gain.std() / len(gain) ** 0.5
    best, average = squared_errors(least_squares).mean(0), squared_errors(averaging).mean(0)
    gap = means[len(RECIPE.stages)] - best
    assert (
        gap.argmax() == RECIPE.dims and gap.max() < 0.2
    )  # as many pairs as dimensions: the hardest systems to solve
    assert (gap[torch.arange(RECIPE.points) != RECIPE.dims] < 0.1).all() and gap[-1] < 0.03
    assert (means[len(RECIPE.stages)][2:] < average[2:] / 2).all()


def test_clipping_finds_its_matrices_and_gives_them_back():
    model, (xs, ys) = linreg.load(), prompts(64)
    with torch.no_grad():
        before = model(xs, ys)
        with clipped(model, 0, "attn", 0.9):
            assert (model(xs, ys) - before).abs().mean() > 0.01
        assert torch.equal(model(xs, ys), before)


def test_a_clip_helps_the_model_that_was_hardly_trained_and_hurts_the_one_that_was():
    """What `benchmarks/regression.py` finds behind more than d examples; the rate of the first was
    chosen there, on validation prompts.
    """

    def falls(stage, clips, n):
        """For each clip the mean fall of the error, paired prompt by prompt, in standard errors."""
        model = linreg.load(stage)
        before = squared_errors(model, n)
        for layer, module, rate in clips:
            with clipped(model, layer, module, rate):
                gained = (before - squared_errors(model, n))[:, RECIPE.dims + 1 :].mean(1)
            yield gained.mean().item() / (gained.std().item() / n**0.5)

    assert [*falls(1, [(0, "mlp", 0.75)], 1024)][0] > 3
    assert (
        max(
            falls(
                4,
                [
                    (layer, module, 0.9)
                    for layer in range(RECIPE.layers)
                    for module in ("mlp", "attn")
                ],
                512,
            )
        )
        < -3
    )
