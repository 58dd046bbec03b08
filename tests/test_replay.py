"""The fast paths return what the plain path returns, on every family, whatever was clipped and
however long the prompts are.
"""

import families
import numpy as np
import plain_path
import pytest
from plain_path import ATOL, assert_plain, options, prompts

from svdicl_lite.clipping.clip import Clip
from svdicl_lite.clipping.matrices import n_layers
from svdicl_lite.scoring.batches import Plan
from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.scoring.fast import fast_scores
from svdicl_lite.scoring.plain import plain_scores
from svdicl_lite.scoring.resume import Replay
from svdicl_lite.search.algorithm1 import search_clip_rate

# Fixtures: pytest looks for their names here.
model = plain_path.model


@pytest.mark.parametrize(
    "given",
    [prompts(), prompts(n_shared=0), options()],
    ids=["shared", "nothing shared", "options"],
)
def test_fast_is_plain(model, given):
    np.testing.assert_allclose(
        fast_scores(model, [Plan(given, batch_size=2)])[0],
        plain_scores(model, given),
        rtol=0,
        atol=ATOL,
    )


@pytest.mark.parametrize(
    "layer, module",
    [(0, "attn"), (0, "fc_out"), (1, "mlp"), (1, "all"), (2, "mlp"), (2, "v"), (2, "o")],
)
def test_replay_is_plain_after_a_clip(model, layer, module, fingerprint):
    before, sets = fingerprint(model), [prompts(), prompts(7, seed=2)]
    replay = Replay.record(model, [Plan(given, batch_size=2) for given in sets], layer)
    clip = Clip(model, layer, module)
    whole = replay.scores(module)
    for rate, factored in ((0.9, False), (0.75, True)):
        with clip.at(rate, factored):
            assert_plain(model, replay.scores(module), sets)
    assert np.array_equal(replay.scores(module)[0], whole[0]) and fingerprint(model) == before


def test_a_clip_moves_the_scores_far_more_than_the_tolerance(model):
    for layer in range(families.LAYERS):
        replay = Replay.record(model, [Plan(prompts(), 4)], layer)
        whole = replay.scores("mlp")[0]
        with Clip(model, layer, "mlp").at(0.9):
            assert np.abs(replay.scores("mlp")[0] - whole).max() > 100 * ATOL


def test_replay_of_options_is_plain_after_a_clip(model):
    replay = Replay.record(model, [Plan(options(), batch_size=2)], layer=1)
    with Clip(model, 1, "all").at(0.9):
        np.testing.assert_allclose(
            replay.scores("all")[0], plain_scores(model, options()), rtol=0, atol=ATOL
        )


def test_a_replay_from_a_replay_below_is_the_same(model):
    plans, below = [Plan(prompts(), batch_size=4)], None
    for layer in range(n_layers(model)):
        below = Replay.record(model, plans, layer, below)
        for module in ("mlp", "attn"):
            with Clip(model, layer, module).at(0.9):
                np.testing.assert_allclose(
                    below.scores(module)[0], plain_scores(model, prompts()), rtol=0, atol=ATOL
                )


def test_what_lies_above_may_change_too(model):
    replay = Replay.record(model, [Plan(prompts(), batch_size=4)], layer=1)
    with Clip(model, 2, "all").at(0.5), Clip(model, 1, "attn").at(0.9):
        np.testing.assert_allclose(
            replay.scores("attn")[0], plain_scores(model, prompts()), rtol=0, atol=ATOL
        )


@pytest.mark.parametrize("name", ["gpt2", "gemma2", "mixtral"])
def test_a_failing_model_leaves_no_patch_behind(name):
    model = families.build(name)
    replay = Replay.record(model, [Plan(prompts(), batch_size=4)], layer=1)
    expected = plain_scores(model, prompts())
    handle = model.get_output_embeddings().register_forward_pre_hook(lambda *args: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        replay.scores("mlp")
    handle.remove()
    assert not any("forward" in vars(module) for module in model.modules())
    assert np.array_equal(plain_scores(model, prompts()), expected)


def test_blocks_below_do_not_run_again():
    model = families.build("gpt2")
    replay, ran = Replay.record(model, [Plan(prompts(), batch_size=4)], layer=2), []
    for i, block in enumerate(model.transformer.h):
        for name, part in (("attn", block.attn), ("mlp", block.mlp)):
            part.c_proj.register_forward_hook(lambda *args, i=i, name=name: ran.append((i, name)))
    replay.scores("mlp")
    assert {*ran} == {(2, "mlp")}
    replay.scores("attn")
    assert {*ran} == {(2, "mlp"), (2, "attn")}


class Given(ICLEvaluator):
    """An evaluator of prompts that no tokenizer made, without a task."""

    def __init__(self, model, split, labels, seed):
        self.model, self.split, self.seeds, self.experiment = model, split, (0,), None
        self.examples = frozenset({split})
        tails = (3, 5, 5, 2, 3, 5, 4, 4, 6, 2, 3, 1)
        self.take([prompts(seed=seed, tails=tails)._replace(labels=labels)], batch_size=5)


def test_a_search_chooses_what_a_plain_loop_chooses(model):
    rates = (0.0, 0.5, 0.9, 0.99)
    validation, test = (
        Given(model, "validation", [0, 1, 2] * 4, seed=5),
        Given(model, "test", [2, 1, 0] * 4, seed=6),
    )
    with clip_of(
        model, 0.9
    ):  # these labels are what one of the clips says, so that there is something to find
        validation.groups[0].labels[:] = validation.plain().predictions.tolist()
    outcomes = []
    for rate in rates:
        with clip_of(model, rate):
            outcomes.append(validation.plain())
    best = max(range(len(rates)), key=lambda i: outcomes[i].accuracy)
    with clip_of(model, rates[best]):
        tested = test.plain()
    result = search_clip_rate(model, validation, test, "all", layer=0, clip_rates=rates)
    assert result.clip_rate == rates[best] != 0
    for fast, plain in zip(
        (*result.validation, result.test_after), (*outcomes, tested), strict=True
    ):
        np.testing.assert_allclose(fast.scores, plain.scores, rtol=0, atol=ATOL)


def clip_of(model, rate):
    return Clip(model, 0, "all").at(rate)
