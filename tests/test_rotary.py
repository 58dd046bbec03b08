"""Fast scores are plain scores on either side of every length at which a family reads otherwise.

Such lengths are: the end of a sliding window or a chunk, and, where the turn of all positions
depends on how long the whole sequence is, the length up to which a model was first trained.
"""

import copy

import families
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_path import assert_plain
from transformers import AutoConfig, AutoModelForCausalLM

from svdicl_lite.scoring.batches import Plan
from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.scoring.fast import fast_scores
from svdicl_lite.scoring.plain import plain_scores
from svdicl_lite.scoring.prompts import Prompts
from svdicl_lite.scoring.resume import Replay
from svdicl_lite.scoring.rotary import rule_of, side_of

L = 24  # where positions change
LONG = {
    "rope_type": "longrope",
    "rope_theta": 10000.0,
    "short_factor": [1.0] * 4,
    "long_factor": [2.0, 3.0, 5.0, 9.0],
    "original_max_position_embeddings": L,
}
DYNAMIC = {"rope_type": "dynamic", "rope_theta": 10000.0, "factor": 4.0}
YARN = {
    "rope_type": "yarn",
    "rope_theta": 10000.0,
    "factor": 4.0,
    "original_max_position_embeddings": L,
}
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 10000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": L,
}
LLAMA = dict(families.LLAMA, pad_token_id=None)
MODELS = {  # name → model type, its settings; each reads otherwise from length L on
    "phi3 longrope": (
        "phi3",
        dict(
            LLAMA,
            rope_parameters=LONG,
            max_position_embeddings=96,
            original_max_position_embeddings=L,
        ),
    ),
    "llama longrope": ("llama", dict(LLAMA, rope_parameters=LONG, max_position_embeddings=96)),
    "llama dynamic": ("llama", dict(LLAMA, rope_parameters=DYNAMIC, max_position_embeddings=L)),
    "mistral dynamic": (
        "mistral",
        dict(LLAMA, rope_parameters=DYNAMIC, max_position_embeddings=L, sliding_window=None),
    ),
    "llama yarn": ("llama", dict(LLAMA, rope_parameters=YARN, max_position_embeddings=96)),
    "llama llama3": ("llama", dict(LLAMA, rope_parameters=LLAMA3, max_position_embeddings=96)),
    "mistral window": ("mistral", dict(LLAMA, sliding_window=L)),
    "gemma2 window": ("gemma2", dict(LLAMA, head_dim=12, sliding_window=L)),
    "gpt_neo window": (
        "gpt_neo",
        dict(families.FAMILIES["gpt_neo"][1], window_size=L),
    ),
    "llama4 chunk": (
        "llama4_text",
        dict(families.ODD["llama4"][1], attention_chunk_size=L, layer_types=None),
    ),
}
ALIKE = ("phi3 longrope", "llama longrope")
LENGTHS = {
    **dict.fromkeys(ALIKE, (True, L)),
    **dict.fromkeys(("llama dynamic", "mistral dynamic"), (False, L)),
}
"""What of these `rule_of` finds in the config; of the others nothing."""


def build(name):
    model_type, settings = copy.deepcopy(MODELS[name])  # a config writes into what it is given
    config = AutoConfig.for_model(
        model_type, vocab_size=families.VOCAB, bos_token_id=0, eos_token_id=0, **settings
    )
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        parameter.data += 0.1 * noise if parameter.ndim == 1 else 0.2 * noise - parameter.data
    return model


@pytest.fixture(scope="module")
def built():
    """Each model, made when it is first asked for."""
    models = {}
    return lambda name: models.setdefault(name, build(name))


def prompts(shared, rests):
    """Prompts that share their first tokens."""
    generator = torch.Generator().manual_seed(1)
    draw = lambda n: torch.randint(1, families.VOCAB, (n,), generator=generator).tolist()
    first = draw(shared)
    contexts = [first + [1 + i] + draw(rest) for i, rest in enumerate(rests)]
    return Prompts(contexts, [[[2], [5]]] * len(contexts), [0, 1, *[0] * (len(contexts) - 2)])


class Judge(ICLEvaluator):
    """Of prompts that are there already."""

    def __init__(self, model, groups):
        self.model, self.split, self.seeds = model, "validation", tuple(range(len(groups)))
        self.take(groups, batch_size=4)


@pytest.mark.parametrize("name", MODELS)
def test_the_config_tells_at_which_length_positions_change(name, built):
    assert rule_of(built(name)) == LENGTHS.get(name)


@pytest.mark.parametrize("name", MODELS)
@settings(max_examples=12)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([0, 3, L - 6, L - 2, L - 1, L, L + 1, L + 9]),
            st.lists(st.integers(0, 7), min_size=2, max_size=4),
        ),
        min_size=1,
        max_size=3,
    ),
    st.integers(0, 2),
)
def test_the_evaluator_answers_as_the_plain_path_on_both_sides(name, built, sets, layer):
    model = built(name)
    groups = [prompts(shared, rests) for shared, rests in sets]
    judge = Judge(model, groups)
    plain = judge.plain().scores
    from_layer = judge.from_layer(layer)
    for found in (judge(), from_layer(), from_layer("mlp"), judge()):
        np.testing.assert_allclose(found.scores, plain, rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", LENGTHS)
def test_what_cannot_be_read_together_is_read_alone_and_refused_by_the_fast_path(name, built):
    model = built(name)
    below, above = prompts(3, [2, 4]), prompts(L + 2, [2, 4])
    astride = prompts(L - 2, [0, 6])
    judge = Judge(model, [astride, above, below])
    assert judge.alone == ([0] if name in ALIKE else [0, 1])
    assert judge.together == ([[2], [1]] if name in ALIKE else [[2]])
    plans = [Plan(of_set, 4) for of_set in (below, above, astride)]
    for mixed in ([plans[2]], plans[:2]):
        with pytest.raises(ValueError, match="on both sides of that length; judge them by an"):
            fast_scores(model, mixed)
        with pytest.raises(ValueError, match="on both sides of that length"):
            Replay.record(model, mixed, 1)
    assert_plain(model, fast_scores(model, plans[:1]), [below])


@pytest.mark.parametrize("name", LENGTHS)
def test_the_sides_matter(name, built):
    """If the demonstrations were read as if nothing followed, scores would be others."""
    model = built(name)
    astride = prompts(L - 2, [8, 8])
    plain = plain_scores(model, astride)
    with torch.inference_mode():
        tokens = torch.tensor([astride.contexts[0]])
        first = model(tokens[:, : L - 2], use_cache=True)
        rest = model(tokens[:, L - 2 :], past_key_values=first.past_key_values)
    wrong = rest.logits[0, -1, [2, 5]].numpy()
    assert np.abs(wrong - plain[0]).max() > 1e-2


def test_plain_scores_do_not_depend_on_what_was_read_before(built):
    model = built("llama dynamic")
    short, long = prompts(L, [2, 3]), prompts(L + 20, [2, 3])
    first = plain_scores(model, short)
    plain_scores(model, long)
    np.testing.assert_array_equal(plain_scores(model, short), first)


def test_sides_are_told_by_lengths():
    assert side_of(None, 5, 90, 99) == "below"
    for alike in (True, False):
        rule = alike, L
        above = "above" if alike else None
        assert side_of(rule, 5, L - 1, L) == "below"
        assert side_of(rule, 5, L - 1, L + 1) is None
        assert side_of(rule, L, L + 1, L + 2) is None
        assert side_of(rule, L + 1, L + 2, L + 3) == above
        assert side_of(rule, 0, L + 1, L + 2) == above
