"""The model for the whole suite: its recipe, and what its card says."""

import json
import random
from dataclasses import asdict

import pytest
import torch

from svdicl_lite.models import loading
from svdicl_lite.models.loading import load_model, model_card
from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.tasks import suite
from svdicl_lite.tasks.loading import load_task
from svdicl_lite.tasks.suite import SUITE
from svdicl_lite.tasks.task import ARBITRARY_WORDS, LABEL_SETTINGS
from svdicl_lite.tasks.worlds import sentence_pairs
from svdicl_lite.training import suite_llama
from svdicl_lite.training.suite_documents import (
    ONE_PAIR,
    OTHERS,
    RELATIONS,
    TOKENS_PER_STEP,
    SuitePhase,
    draw_batch,
    draw_words,
)
from svdicl_lite.training.suite_llama import SuiteRecipe, grown, train

CONTENT = {
    *sentence_pairs.AGENTS,
    *sentence_pairs.THINGS,
    *(thing for things in sentence_pairs.THINGS.values() for thing in things.split()),
    *(verb for two in sentence_pairs.SAME for verb in two),
}


@pytest.fixture(scope="module")
def words():
    return suite_llama.suite_tokenizer()


def test_every_word_of_the_suite_is_one_token_behind_a_space(words):
    said = [
        *suite.vocabulary(),
        *ARBITRARY_WORDS,
        *(word for task in SUITE.values() for word in task.label_words),
    ]
    assert [word for word in said if len(words(f" {word}")["input_ids"]) != 1] == []
    assert not {*ARBITRARY_WORDS} & {*suite.vocabulary()}


def test_a_grown_model_begins_as_the_small_one(words):
    small, few_words = load_model("icl-llama")
    model = grown(small, few_words, words).eval()
    text = "text: the coach was kind sentiment: pos\ntext: the banker was not dull sentiment:"
    old, new = few_words(text)["input_ids"], words(text)["input_ids"]
    same = [
        i
        for i, token in enumerate(few_words.convert_ids_to_tokens(old))
        if token == words.convert_ids_to_tokens(new)[i]
    ]
    assert len(same) == len(old) == len(new)
    with torch.inference_mode():
        before, after = (
            m(torch.tensor([tokens]), output_hidden_states=True).hidden_states[-1]
            for m, tokens in ((small, old), (model, new))
        )
    torch.testing.assert_close(after, before, rtol=0, atol=1e-5)
    assert model.config.num_hidden_layers == 6 and model.num_parameters() * 4 <= 8_000_000


@pytest.mark.parametrize("length", [34, 96, 384])
def test_answers_weigh_one_and_documents_fit(words, length):
    phase = SuitePhase(1, (length,), 0.4, 0.3, ("short",))
    tokens, weights = draw_batch(random.Random(1), phase, words)
    assert tokens.shape == weights.shape and tokens.shape[1] <= max(length, 40)
    labels = {*ARBITRARY_WORDS, *(word for task in SUITE.values() for word in task.label_words)}
    for row, weight in zip(tokens, weights):
        text, marked = (
            words.decode(row[row != words.pad_token_id]),
            [words.decode([token]).strip() for token in row[weight == 1]],
        )
        if (
            " cause " not in text and " effect " not in text
        ):  # no options: every mark is a label word, one a line
            assert {*marked} <= labels and len(marked) == text.count("\n")
        else:
            assert " ".join(marked) in " ".join(
                line.split(" cause ")[-1].split(" effect ")[-1] for line in text.splitlines()
            )


def test_a_relation_is_always_called_by_its_own_words_and_the_other_tasks_by_any():
    rng, phase = random.Random(0), SuitePhase(1, (96,), 0.3, 0.2, ("short",))
    drawn = {
        name: {draw_words(rng, task, phase) for _ in range(50)} for name, task in SUITE.items()
    }
    assert all(drawn[name] == {SUITE[name].words("canonical")} for name in RELATIONS) and drawn[
        "choice"
    ] == {()}
    assert all(
        SUITE[name].words("flipped") in drawn[name] and len(drawn[name]) > 10
        for name in OTHERS
        if name != "choice"
    )


def test_single_pairs_have_canonical_words_and_easy_ones_have_all_or_nothing_in_common(
    words,
):
    phase = SuitePhase(10, (64,), 0.0, 0.0, ("short",), single=1.0, easy=(1.0, 0.0))
    shared = []
    for i in (0, 9):  # all easy, next to none
        tokens, weights = draw_batch(random.Random(2), phase, words, i)
        assert len(tokens) == TOKENS_PER_STEP // ONE_PAIR and (weights == 1).sum(1).tolist() == [
            1
        ] * len(tokens)
        for row, weight in zip(tokens, weights):
            text, answer = (
                words.decode(row[row != words.pad_token_id]),
                words.decode(row[weight == 1]).strip(),
            )
            (task,) = (SUITE[name] for name in RELATIONS if answer in SUITE[name].label_words)
            one, two = (
                {*part.split()} & CONTENT
                for part in text.split(
                    "sentence2:" if task.name == "paraphrase" else "Does this mean that"
                )
            )
            same = answer == task.label_words[{"paraphrase": 1, "entailment": 0}[task.name]]
            assert (one == two) == same
            shared += [(i, len(one & two))] * (not same)
    assert max(n for i, n in shared if i == 0) < 3 and sum(
        n == 0 for i, n in shared if i == 0
    ) > 0.5 * sum(i == 0 for i, _ in shared)
    assert sum(n == 2 for i, n in shared if i == 9) > 0.5 * sum(i == 9 for i, _ in shared)


def test_two_steps_change_every_weight_and_the_same_seed_gives_the_same_model(words, fingerprint):
    recipe = SuiteRecipe(((SuitePhase(2, (64,), 0.5, 0.2, ("short",)),),), tokens_per_step=128)
    small, few_words = load_model("icl-llama")
    models = [grown(small, few_words, words) for _ in range(2)]
    before = {name: p.detach().clone() for name, p in models[0].named_parameters()}
    curves = [train(model, words, recipe)["curve"] for model in models]
    assert curves[0] == curves[1] and fingerprint(models[0]) == fingerprint(models[1])
    # a new block's first half has no gradient in step 1, its second half being 0, and the learning
    # rate is small in step 2
    assert [name for name, p in models[0].named_parameters() if torch.equal(p, before[name])] == []


def test_the_shipped_weights_are_small_and_the_card_tells_the_recipe():
    card = model_card("suite-llama")
    assert (loading.CHECKPOINTS / "suite-llama" / "model.safetensors").stat().st_size <= 8_000_000
    assert (
        card["recipe"] == json.loads(json.dumps(asdict(suite_llama.RECIPE)))
        and card["seconds"] <= 3600
    )
    assert card["curve"][-1]["step"] == sum(
        phase.steps for phases in suite_llama.RECIPE.stages for phase in phases
    )


def test_the_card_says_what_is_measured_and_all_tasks_are_as_hard_as_one_wants():
    rows = {(row["task"], row["labels"]): row for row in model_card("suite-llama")["test"]}
    assert {*rows} == {
        (name, setting)
        for name, task in SUITE.items()
        for setting in (LABEL_SETTINGS[:1] if task.options else LABEL_SETTINGS)
    }
    levels = {name: rows[name, "canonical"]["level"] for name in SUITE}
    assert {*levels.values()} == {"as wanted"}, levels
    for name in ("paraphrase", "choice"):
        row = rows[name, "canonical"]
        outcome = ICLEvaluator(
            *load_model("suite-llama"), load_task(name), "test", row["n"], seeds=range(20)
        )()
        assert (
            abs(outcome.accuracy - row["accuracy"]) <= 0.003
        )  # three near-ties may fall otherwise on another processor
