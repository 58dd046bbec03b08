"""The fast paths return what the plain path returns, on every family, whatever was clipped and
however long the prompts are.
"""

import random

import families
import numpy as np
import pytest
import torch

from svdicl_lite.clipping.clip import Clip
from svdicl_lite.clipping.matrices import n_layers
from svdicl_lite.scoring.batches import Plan
from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.scoring.fast import fast_scores
from svdicl_lite.scoring.plain import plain_scores
from svdicl_lite.scoring.prefix_attention import attend, attending_to
from svdicl_lite.scoring.prefix_cache import BatchCache, PrefixCache
from svdicl_lite.scoring.prompts import Prompts
from svdicl_lite.scoring.resume import Replay
from svdicl_lite.search.algorithm1 import search_clip_rate

# The models are 32 wide and 3 deep, their logits of order 1 to 10, in float32 (6e-8 a rounding):
# two orders of computing them
# differ by some 1e-5, and the clips below move them by more than a hundred times that.
ATOL = 1e-4
EVERY = [*families.FAMILIES, *families.OTHERS]
APART = {
    "gptj",
    "gpt_neo",
    "bloom",
    "falcon",
    "falcon-new",
    "falcon-alibi",
    "gemma2",
    "codegen",
    "mpt",
    "gpt_oss",
}  # attention of their own


@pytest.fixture(scope="module", params=EVERY)
def model(request):
    return families.build(request.param)


def prompts(n_shared=9, seed=0, tails=(3, 5, 5, 2, 3, 5)) -> Prompts:
    """Unequal lengths behind one beginning; three label tokens that change with the prompt."""
    rng = random.Random(seed)
    shared = [rng.randrange(1, families.VOCAB) for _ in range(n_shared)]
    tokens = [
        shared + [rng.randrange(1, families.VOCAB) for _ in range(length)] for length in tails
    ]
    words = [[[word] for word in rng.sample(range(families.VOCAB), 3)] for _ in tails]
    return Prompts(tokens, words, [0] * len(tails))


def options(seed=1) -> Prompts:
    rng = random.Random(seed)
    draw = lambda n: [rng.randrange(1, families.VOCAB) for _ in range(n)]
    shared, contexts, answers = draw(6), [], []
    for n_query in (3, 5, 4):
        contexts.append(shared + draw(n_query))
        answers.append([draw(n) for n in (rng.randint(1, 3), rng.randint(1, 3))])
    return Prompts(contexts, answers, [0, 1, 0], of_options=True)


def assert_plain(model, scores, sets):
    for fast, given in zip(scores, sets, strict=True):
        np.testing.assert_allclose(fast, plain_scores(model, given), rtol=0, atol=ATOL)


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


def several(seed=0) -> list[Prompts]:
    """Sets whose beginnings have 9, 7, 12, 7 and 1 tokens, more and fewer queries behind them."""
    made = ((9, (3, 5, 5, 2)), (7, (3, 5)), (12, (4,)), (7, (2, 6, 1)), (1, (4, 4)))
    return [prompts(n, seed + i, tails) for i, (n, tails) in enumerate(made)]


@pytest.mark.parametrize("layer, module", [(0, "attn"), (1, "mlp"), (2, "all"), (2, "o")])
def test_sets_in_one_batch_are_plain(model, request, layer, module):
    sets = several()
    plans = [Plan(given, batch_size=64) for given in sets]
    replay = Replay.record(model, plans, layer)
    assert len(replay.batches) == (
        len(sets) if request.node.callspec.params["model"] in APART else 1
    )
    assert_plain(model, fast_scores(model, plans), sets)
    with Clip(model, layer, module).at(0.9):
        assert_plain(model, replay.scores(module), sets)


@pytest.mark.parametrize(
    "sets",
    [
        pytest.param([options(seed) for seed in range(3)], id="options"),
        pytest.param([prompts(0, seed) for seed in range(3)], id="nothing shared"),
        pytest.param([prompts(0), prompts(5, 1), prompts(0, 2)], id="some with nothing shared"),
        pytest.param(
            [prompts(6, seed, (1, 1)) for seed in range(3)],
            id="one token behind beginnings of one length",
        ),
        pytest.param(
            [prompts(5 + seed, seed, (1, 1)) for seed in range(3)],
            id="one token behind beginnings of several lengths",
        ),
    ],
)
def test_other_sets_in_one_batch_are_plain(model, sets):
    assert_plain(model, fast_scores(model, [Plan(given, batch_size=64) for given in sets]), sets)


def members(replay) -> list[list[tuple[int, list[int]]]]:
    """Of each batch, the sets and how many of their rows it holds; every row runs exactly once."""
    rows = [(n, i) for batch in replay.batches for n, index in batch.sets for i in index]
    asked = [(n, i) for n, plan in enumerate(replay.plans) for i in range(len(plan.rows))]
    assert sorted(rows) == asked
    return [[(n, len(index)) for n, index in batch.sets] for batch in replay.batches]


def test_sets_run_together_where_the_model_allows_it_and_never_beyond_the_room():
    plans = [Plan(given, batch_size=5) for given in several()]
    llama = members(Replay.record(families.build("llama"), plans, 1))
    assert max(sum(n for _, n in batch) for batch in llama) == 5
    assert len(llama) == 3  # 12 rows, the fewest batches: a batch costs more than padding here
    gptj = families.build("gptj")
    alone = members(Replay.record(gptj, plans, 1))
    assert sorted(alone) == [[(0, 4)], [(1, 2)], [(2, 1)], [(3, 3)], [(4, 2)]]
    without = [Plan(prompts(0, seed, (3, 5)), batch_size=64) for seed in range(3)]
    # no positions that differ
    assert members(Replay.record(gptj, without, 1)) == [[(0, 2), (1, 2), (2, 2)]]


@pytest.mark.parametrize("overhead", [0.0, 3e7])
def test_prompts_cut_by_length_across_sets_are_plain(overhead, monkeypatch):
    """Without a price for a batch each length is a batch of its own, and no position is padding."""
    monkeypatch.setattr("svdicl_lite.scoring.batches.OVERHEAD_OF_A_BATCH", overhead)
    sets = [prompts(6, 0, (2, 3, 3, 4, 5, 5, 6)), prompts(8, 1, (3, 6)), prompts(8, 2, (2, 2, 9))]
    replay = Replay.record(families.build("llama"), [Plan(given, 5) for given in sets], 1)
    members(replay)
    computed = sum(batch.tokens.numel() for batch in replay.batches)
    real = sum(len(row.tokens) for plan in replay.plans for row in plan.rows)
    assert computed >= real and (computed == real) == (overhead == 0)
    assert_plain(replay.model, replay.scores(), sets)


def test_attention_that_is_not_plain_gets_the_beginnings_joined_a_shorter_one_on_the_right():
    draw = lambda *shape: torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))
    model, T, prefixes = families.build("llama"), 3, []
    for n in (2, 5):
        prefixes.append(PrefixCache(model.config))
        prefixes[-1].update(draw(1, 2, n, 4), draw(1, 2, n, 4), 0)
        prefixes[-1].apart.add(0)
    query, key, value = (draw(3, 2, T, size)[..., :4] for size in (4, 5, 6))
    cache = BatchCache(prefixes, n_prompts=[1, 2], n_read={})
    assert cache.update(key, value, 0) == (key, value)
    begins = torch.tensor([2, 5, 5])[:, None, None, None]
    column, row = torch.arange(5 + T), torch.arange(T)[:, None]
    mask = (column >= 5 - begins) & (column <= 5 + row)  # (3, 1, T, 5 + T)
    module = model.model.layers[0].self_attn
    module.num_key_value_groups = 1
    with attending_to(cache):
        ours, joined = (
            attend(module, query, key, value, given, scaling=0.5)[0]
            for given in (mask, torch.zeros(mask.shape).masked_fill(~mask, -torch.inf))
        )
    torch.testing.assert_close(ours, joined, rtol=0, atol=1e-6)  # float32, numbers of order 1


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


def seeing_back(name, setting, n):
    """A model that looks back n tokens at most; without that its answers are others."""
    base = families.build(name)
    made = []
    for seen in (n, 200):
        torch.manual_seed(0)
        made.append(
            type(base)(type(base.config).from_dict({**base.config.to_dict(), setting: seen})).eval()
        )
    assert (
        np.abs(plain_scores(made[0], prompts()) - plain_scores(made[1], prompts())).max()
        > 100 * ATOL
    )
    return made[0]


@pytest.mark.parametrize("name", ["mistral", "gemma2", "phi3", "mixtral", "starcoder2"])
@pytest.mark.parametrize("batch_size", [4, 64])
def test_a_window_shorter_than_the_prompt_is_kept_to(name, batch_size):
    model = seeing_back(name, "sliding_window", 6)
    plans = [Plan(given, batch_size) for given in several()]
    replay = Replay.record(model, plans, layer=1)
    assert_plain(model, fast_scores(model, plans), several())
    with Clip(model, 1, "all").at(0.9):
        assert_plain(model, replay.scores("all"), several())


@pytest.mark.parametrize("batch_size", [2, 64])
def test_chunks_shorter_than_the_prompt_are_kept_to(batch_size):
    model = seeing_back("llama4", "attention_chunk_size", 6)
    assert_plain(
        model, fast_scores(model, [Plan(given, batch_size) for given in several()]), several()
    )


@pytest.mark.parametrize("name", families.ODD)
@pytest.mark.parametrize("batch_size", [2, 64])
def test_odd_blocks_are_scored_as_ever(name, batch_size):
    model = families.build(name)
    assert_plain(
        model, fast_scores(model, [Plan(given, batch_size) for given in several()]), several()
    )


def test_what_attention_hands_on_beside_its_output_is_kept():
    model = families.build("gpt_neox_japanese")  # the block adds the bias of its last attention
    replay = Replay.record(model, [Plan(prompts(), batch_size=4)], layer=2)
    with Clip(model, 2, "mlp").at(0.9):
        np.testing.assert_allclose(
            replay.scores("mlp")[0], plain_scores(model, prompts()), rtol=0, atol=ATOL
        )


@pytest.mark.parametrize("name", families.WITHOUT_KEYS)
def test_a_model_that_keeps_no_keys_is_refused_rather_than_scored_without_its_demonstrations(name):
    model = families.build(name)
    with pytest.raises(
        TypeError, match=f"a {type(model).__name__} keeps no keys and values of what it has read"
    ):
        fast_scores(model, [Plan(prompts(), batch_size=4)])


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
