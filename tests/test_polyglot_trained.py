"""The polyglot model: its documents, its tokens, two steps of training, and the shipped weights."""

import json
import random
from collections import Counter
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from polyglot_words import ENGLISH, NAMES, USUAL

from svdicl_lite.models import loading
from svdicl_lite.models.loading import load_model, model_card
from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.tasks import grammar_tasks, registers
from svdicl_lite.tasks.loading import load_task
from svdicl_lite.tasks.registers import REGISTERS, task_name
from svdicl_lite.tasks.task import ARBITRARY_WORDS, LABEL_SETTINGS
from svdicl_lite.tasks.worlds import grammar
from svdicl_lite.training import polyglot
from svdicl_lite.training.polyglot import NAME, RECIPE
from svdicl_lite.training.recipes import Mix

PHASE = Mix(1, (0,), 0.4, 0.2, ("short", "hard"))


def test_documents_come_in_the_promised_shares():
    rng, n, counts = random.Random(0), 6000, Counter()
    for _ in range(n):
        (context, _), *_ = polyglot.draw_document(rng, PHASE, 1)
        words = {*context.removeprefix("text: ").rpartition(" ")[0].split()}
        counts["second" if words <= {*ENGLISH} else "jargon" if words & {*USUAL} else "common"] += 1
    assert sum(register.share for register in REGISTERS.values()) == pytest.approx(1)
    for name, bound in (
        ("common", 0.02),
        ("second", 0.018),
        ("jargon", 0.008),
    ):  # standard deviations 0.0042, 0.0039, 0.0018
        assert counts[name] / n == pytest.approx(REGISTERS[name].share, abs=bound)


def test_one_document_is_of_one_register_and_of_training_sentences():
    rng = random.Random(1)
    for _ in range(200):
        pairs = polyglot.draw_document(rng, PHASE, 5)
        texts = [context.removeprefix("text: ").rpartition(" ")[0] for context, _ in pairs]
        assert {grammar.split_of(text) for text in texts} == {"train"}
        assert len({all(word in ENGLISH for word in text.split()) for text in texts}) == 1
        assert len({any(word in USUAL for word in text.split()) for text in texts}) == 1


@pytest.fixture(scope="module")
def wider():
    return polyglot.polyglot_tokenizer()


def test_every_word_of_every_register_is_one_token_behind_a_space(wider):
    words = {
        *ARBITRARY_WORDS,
        *(word for register in REGISTERS.values() for word in register.vocabulary()),
    }
    words |= {
        word
        for task in (*grammar_tasks.TASKS.values(), *registers.TASKS.values())
        for word in task.label_words
    }
    assert [word for word in words if len(wider(f" {word}")["input_ids"]) != 1] == []


def test_new_words_change_nothing_that_was_known(wider, tokenizer, pristine_model):
    torch.manual_seed(0)
    grown = polyglot.with_words(pristine_model, tokenizer, wider)
    task = load_task("topic")
    before, after = (
        ICLEvaluator(model, words, task, n=20, n_shots=2)()
        for model, words in ((pristine_model, tokenizer), (grown, wider))
    )
    np.testing.assert_allclose(
        after.scores, before.scores, rtol=0, atol=1e-4 * np.abs(before.scores).max()
    )  # float32
    assert (
        grown.num_parameters() - pristine_model.num_parameters()
        == (len(wider) - len(tokenizer)) * pristine_model.config.n_embd
    )


def test_two_steps_change_every_weight_and_the_same_seed_gives_the_same(monkeypatch, fingerprint):
    monkeypatch.setattr(polyglot, "PROBE_N", 4)
    short = replace(
        RECIPE,
        tokens_per_step=420,
        phases=(Mix(1, (0,), 1, 0, ("short",)), Mix(1, (2,), 0.3, 0.2, ("hard",))),
    )
    (one, wider, made), (other, _, _), (third, _, _) = (
        polyglot.train(recipe) for recipe in (short, short, replace(short, seed=1))
    )
    torch.manual_seed(short.seed)
    untrained = polyglot.with_words(*load_model(RECIPE.start_from), wider)
    assert [
        name
        for (name, p), q in zip(one.named_parameters(), untrained.parameters())
        if torch.equal(p, q)
    ] == []
    assert fingerprint(one) == fingerprint(other) != fingerprint(third)
    assert [row["step"] for row in made["curve"]] == [2] and {*made["curve"][0]} == {
        "step",
        "loss",
        *NAMES,
    }


@pytest.fixture(scope="module")
def shipped():
    return load_model(NAME)


def test_the_shipped_weights_are_small_and_the_card_tells_the_recipe():
    card = model_card(NAME)
    assert (loading.CHECKPOINTS / NAME / "model.safetensors").stat().st_size <= 8_000_000
    assert card["recipe"] == json.loads(json.dumps(asdict(RECIPE))) and card["curve"][-1][
        "step"
    ] == sum(phase.steps for phase in RECIPE.phases)
    assert {
        "seconds",
        "cpu_seconds",
        "device",
        "threads",
        "torch",
        "transformers",
        "parameters",
        "curve_n",
    } <= {*card}
    cases = {(row["task"], row["labels"], row["shots"]) for row in card["test"]}
    assert cases == {
        (name, setting, shots) for name in NAMES for setting in LABEL_SETTINGS for shots in (0, 8)
    }
    assert {row["n"] for row in card["test"]} == {1000}


@pytest.mark.parametrize("register", REGISTERS)
def test_the_card_says_what_is_measured_and_every_register_is_read_from_the_prompt(
    shipped, register
):
    none, eight = (
        ICLEvaluator(
            *shipped,
            load_task(task_name("topic", register), "arbitrary"),
            "test",
            1000,
            shots,
            range(20),
        )()
        for shots in (0, 8)
    )
    for shots, outcome in ((0, none), (8, eight)):
        (row,) = (
            r
            for r in model_card(NAME)["test"]
            if (r["task"], r["labels"], r["shots"])
            == (task_name("topic", register), "arbitrary", shots)
        )
        assert (
            row["n"] == outcome.n and abs(row["accuracy"] - outcome.accuracy) <= 0.003
        )  # three near-ties may fall otherwise on another processor
    assert none.interval.high < 0.4 < eight.interval.low
