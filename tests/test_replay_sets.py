"""Several sets of demonstrations in one batch, and odd blocks, are scored as one by one."""

import families
import numpy as np
import plain_path
import pytest
import torch
from plain_path import ATOL, assert_plain, options, prompts

from svdicl_lite.clipping.clip import Clip
from svdicl_lite.scoring.batches import Plan
from svdicl_lite.scoring.fast import fast_scores
from svdicl_lite.scoring.plain import plain_scores
from svdicl_lite.scoring.prefix_attention import attend, attending_to
from svdicl_lite.scoring.prefix_cache import BatchCache, PrefixCache
from svdicl_lite.scoring.prompts import Prompts
from svdicl_lite.scoring.resume import Replay

# Fixtures: pytest looks for their names here.
model = plain_path.model
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
