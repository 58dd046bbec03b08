"""The documents of pretraining: their shares, their words and the weight of their labels."""

import random
import re
from collections import Counter

import pytest
import torch
from small_recipe import PHASE
from test_grammar_tasks import parse

from svdicl_lite.scoring.prompts import encode
from svdicl_lite.tasks.grammar_tasks import TASKS
from svdicl_lite.tasks.task import ARBITRARY_WORDS
from svdicl_lite.tasks.worlds import grammar
from svdicl_lite.training import documents
from svdicl_lite.training.documents import LABEL_WEIGHT, draw_batch, draw_document
from svdicl_lite.training.recipes import Phase


def words_of(documents):
    """For each document: its task, and the class of each sentence with the word put to it."""
    for pairs in documents:
        task = TASKS["sentiment" if pairs[0][0].endswith("sentiment:") else "topic"]
        texts = [
            re.fullmatch(r"text: (.*) (sentiment|classification):", context)[1]
            for context, _ in pairs
        ]
        yield (
            task,
            [
                (parse(text)[task.name == "sentiment"], word)
                for text, (_, word) in zip(texts, pairs)
            ],
        )


def kind_of(task, labelled):
    if all(word in ARBITRARY_WORDS for _, word in labelled):
        return "arbitrary"
    return "canonical" if all(word == label for label, word in labelled) else "flipped"


def test_documents_come_in_the_promised_shares():
    rng, n = random.Random(0), 3000
    documents = [draw_document(rng, PHASE, 3) for _ in range(n)]
    kinds = Counter(kind_of(task, labelled) for task, labelled in words_of(documents))
    for kind, share in (("canonical", 0.5), ("flipped", 0.2), ("arbitrary", 0.3)):
        assert kinds[kind] / n == pytest.approx(
            share, abs=0.04
        )  # standard deviation at most 0.0092
    asked = Counter(task.name for task, _ in words_of(documents))
    assert asked["topic"] / n == pytest.approx(0.5, abs=0.04)


@pytest.mark.parametrize(
    "canonical, flipped, kind", [(1, 0, "canonical"), (0, 1, "flipped"), (0, 0, "arbitrary")]
)
def test_one_document_has_one_word_for_each_class_and_never_two(canonical, flipped, kind):
    rng, phase = random.Random(0), Phase(1, (8,), canonical, flipped, ("plain", "hard"))
    for task, labelled in words_of(draw_document(rng, phase, 9) for _ in range(200)):
        used = dict(labelled)
        assert len({*labelled}) == len(used) == len({*used.values()})
        assert kind_of(task, labelled) == kind
        if kind == "flipped":
            assert all(
                word == task.words("flipped")[task.classes.index(label)] for label, word in labelled
            )


def test_label_noise_is_the_share_of_labels_drawn_at_random():
    rng, n = random.Random(0), 400
    phase = Phase(1, (8,), canonical=1, flipped=0, kinds=("plain",), label_noise=0.4)
    documents = [*words_of(draw_document(rng, phase, 10) for _ in range(n))]
    for name, n_classes in (("sentiment", 2), ("topic", 4)):
        pairs = [
            label != word
            for task, labelled in documents
            if task.name == name
            for label, word in labelled
        ]
        # one random label in n_classes is right by chance; some 2000 labels: standard deviation at
        # most 0.011
        assert sum(pairs) / len(pairs) == pytest.approx(0.4 * (1 - 1 / n_classes), abs=0.045)


def test_documents_hold_training_sentences_of_the_phases_kinds_only():
    rng, phase = random.Random(0), Phase(1, (8,), 0.5, 0.2, ("short",))
    texts = [
        re.fullmatch(r"text: (.*) \w+:", context)[1]
        for _ in range(100)
        for context, _ in draw_document(rng, phase, 5)
    ]
    assert {grammar.split_of(text) for text in texts} == {"train"}
    assert all(
        len(text.split()) in (4, 5) for text in texts
    )  # the S was A, the S L A, the S V the O


@pytest.mark.parametrize("shots", [(0,), (3,), (0, 1, 2)])
def test_label_weight_lies_on_exactly_the_label_tokens(tokenizer, shots):
    phase = Phase(1, shots, 0.4, 0.3, ("plain", "hard"))
    tokens, weights = draw_batch(random.Random(1), phase, tokenizer)
    rng = random.Random(1)
    n_pairs = rng.choice(phase.shots) + 1
    assert tokens.shape == weights.shape and len(tokens) == documents.TOKENS_PER_STEP // (
        12 * n_pairs
    )
    for row, weight in zip(tokens, weights):
        pairs = draw_document(rng, phase, n_pairs)
        marked = [tokenizer.decode([token]) for token in row[weight == 1]]
        assert marked == [f" {word}" for _, word in pairs]
        text = "".join(f"{context} {word}\n" for context, word in pairs)
        assert tokenizer.decode(row[weight > 0]) == text
        length = len(tokenizer(text)["input_ids"])
        assert (
            (weight[:length] > 0).all()
            and (weight[length:] == 0).all()
            and (row[length:] == tokenizer.pad_token_id).all()
        )
        light = weight[(weight > 0) & (weight < 1)]
        assert (
            torch.allclose(light, torch.tensor(1 / LABEL_WEIGHT)) and len(light) == length - n_pairs
        )


def test_training_and_prompting_cut_a_text_into_the_same_tokens(tokenizer):
    phase = Phase(1, (4,), 1, 0, ("plain", "hard"))
    tokens, weights = draw_batch(random.Random(2), phase, tokenizer)
    rng = random.Random(2)
    rng.choice(phase.shots)
    for row, weight in list(zip(tokens, weights))[:20]:
        pairs = draw_document(rng, phase, 5)
        task = TASKS["sentiment" if pairs[0][0].endswith("sentiment:") else "topic"]
        rows = [
            {
                "text": re.fullmatch(r"text: (.*) \w+:", context)[1],
                "label": task.words().index(word),
            }
            for context, word in pairs
        ]
        prompt = encode(tokenizer, task, task.words(), rows[:-1], rows[-1:])
        seen = row[weight > 0].tolist()
        assert seen[:-2] == prompt.contexts[0]  # all but the last label and its line end
        assert seen[-2] == prompt.label_tokens[0][rows[-1]["label"]]
