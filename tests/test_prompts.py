from collections import Counter
from dataclasses import replace

import pytest
from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import BPE, Unigram, WordLevel
from tokenizers.pre_tokenizers import Metaspace, Whitespace
from tokenizers.processors import TemplateProcessing
from tokenizers.trainers import BpeTrainer, UnigramTrainer
from transformers import PreTrainedTokenizerFast

from svdicl_lite.scoring.prompts import draw_demonstrations, encode, render
from svdicl_lite.tasks.task import Task

seeds = st.integers(0, 2**32 - 1)


def small_task(labels, classes=("a", "b")):
    """A task whose training split has these labels."""
    rows = {"text": [f"sentence {i}" for i in range(len(labels))], "label": labels}
    return Task(
        "small",
        "text: {text} sentiment: {label}",
        classes,
        classes,
        splits={"train": Dataset.from_dict(rows)},
    )


@given(st.integers(0, 33), seeds)
def test_demonstrations_are_balanced_distinct_and_from_training(topic, n_shots, seed):
    demonstrations = draw_demonstrations(topic, n_shots, seed)
    texts = [example["text"] for example in demonstrations]
    assert len({*texts}) == len(texts) == n_shots
    count = Counter(example["label"] for example in demonstrations)
    assert all(count[index] in (n_shots // 4, -(-n_shots // 4)) for index in range(4))
    train = dict(zip(topic.splits["train"]["text"], topic.splits["train"]["label"]))
    assert all(train[example["text"]] == example["label"] for example in demonstrations)


@settings(max_examples=10)
@given(seeds)
def test_demonstrations_are_decided_by_their_seed(topic, seed):
    assert draw_demonstrations(topic, 8, seed) == draw_demonstrations(topic, 8, seed)
    assert draw_demonstrations(topic, 8, seed) != draw_demonstrations(topic, 8, seed + 1)


def test_the_odd_one_out_and_the_order_are_chance(sentiment):
    # 60 seeds: that one class is always the odd one out, or always first, happens once in 2^59
    odd = Counter(draw_demonstrations(sentiment, 1, seed)[0]["label"] for seed in range(60))
    first = Counter(draw_demonstrations(sentiment, 8, seed)[0]["label"] for seed in range(60))
    assert len(odd) == len(first) == 2
    alternating = [
        [i % 2 for i in range(8)],
        [(i + 1) % 2 for i in range(8)],
        [0] * 4 + [1] * 4,
        [1] * 4 + [0] * 4,
    ]
    orders = [
        [example["label"] for example in draw_demonstrations(sentiment, 8, seed)]
        for seed in range(60)
    ]
    assert (
        sum(order in alternating for order in orders) < 15
    )  # 4 of 70 orders: 3.4 expected, standard deviation 1.8


def test_too_few_examples_of_a_class_are_refused():
    task = small_task([0, 0, 0, 0, 1, 1])
    assert len(draw_demonstrations(task, 4, seed=0)) == 4
    with pytest.raises(
        ValueError, match="6 shots need 3 training examples of class 'b', but task 'small' has 2"
    ):
        draw_demonstrations(task, 6, seed=0)


def test_a_class_without_examples_is_refused_once_it_is_needed():
    task = small_task([0, 0, 0])
    assert draw_demonstrations(task, 0, seed=0) == []
    with pytest.raises(ValueError, match="class 'b', but task 'small' has 0"):
        draw_demonstrations(task, 2, seed=0)


@pytest.mark.parametrize("classes, n", [((), 0), (("only",), 1)])
def test_a_task_without_a_choice_is_refused(classes, n):
    with pytest.raises(ValueError, match=f"task 'small' has {n} class.*at least two"):
        draw_demonstrations(small_task([0] * 5, classes), 2, seed=0)


@pytest.mark.parametrize("n_shots", [-1, -2])
def test_a_negative_number_of_shots_is_refused(sentiment, n_shots):
    with pytest.raises(ValueError, match=f"n_shots.* {n_shots}"):
        draw_demonstrations(sentiment, n_shots, seed=0)


def test_rendering_follows_the_template_up_to_the_label(sentiment, topic):
    example = {"text": "the coach was kind", "label": 1}
    assert render(sentiment, example) == "text: the coach was kind sentiment:"
    assert render(sentiment, example, "pos") == "text: the coach was kind sentiment: pos\n"
    assert render(topic, example, "sports") == "text: the coach was kind classification: sports\n"


def test_braces_in_a_text_are_text():
    assert (
        render(small_task([0]), {"text": "{text} and {label} {0}", "label": 0})
        == "text: {text} and {label} {0} sentiment:"
    )


@settings(max_examples=20)
@given(st.integers(0, 9), seeds)
def test_a_prompt_is_all_demonstrations_then_the_query(tokenizer, topic, n_shots, seed):
    demonstrations = draw_demonstrations(topic, n_shots, seed)
    examples = list(topic.splits["test"].select(range(seed % 100, seed % 100 + 3)))
    words = topic.words("flipped")
    prompts = encode(tokenizer, topic, words, demonstrations, examples)
    assert prompts.labels == [example["label"] for example in examples]
    for tokens, example in zip(prompts.contexts, examples, strict=True):
        lines = tokenizer.decode(tokens).split("\n")
        assert lines[:-1] == [
            f"text: {shot['text']} classification: {words[shot['label']]}"
            for shot in demonstrations
        ]
        assert lines[-1] == f"text: {example['text']} classification:"


@pytest.mark.parametrize("n_shots", [0, 3])
def test_label_tokens_are_the_words_with_their_space_in_the_order_of_the_classes(
    tokenizer, topic, n_shots
):
    examples = list(topic.splits["test"].select(range(5)))
    words = topic.words("arbitrary", seed=7)
    prompts = encode(tokenizer, topic, words, draw_demonstrations(topic, n_shots, 0), examples)
    expected = [
        tokenizer.convert_tokens_to_ids(f"Ġ{word}") for word in words
    ]  # Ġ is how byte-level BPE writes a space
    assert prompts.label_tokens == [expected] * 5
    without_space = [tokenizer(word)["input_ids"] for word in words]
    assert all(ids != [token] for ids, token in zip(without_space, expected))


def test_prompt_and_label_are_tokenised_as_the_one_text_they_are(tokenizer, sentiment):
    examples = list(sentiment.splits["test"].select(range(20)))
    prompts = encode(tokenizer, sentiment, ("neg", "pos"), [], examples)
    for tokens, labels, example in zip(prompts.contexts, prompts.label_tokens, examples):
        for word, label in zip(("neg", "pos"), labels):
            assert tokenizer(f"text: {example['text']} sentiment: {word}")["input_ids"] == [
                *tokens,
                label,
            ]


def trained(model, trainer, pre_tokenizer, task):
    """A tokenizer of another kind than the book's: words begin with ▁, and a text with a token of
    its own.
    """
    made = Tokenizer(model)
    made.pre_tokenizer = pre_tokenizer
    made.train_from_iterator(
        [
            render(task, example, "pos" if example["label"] else "neg")
            for example in task.splits["train"]
        ],
        trainer,
    )
    made.post_processor = TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", made.token_to_id("<s>"))]
    )
    return PreTrainedTokenizerFast(tokenizer_object=made, bos_token="<s>")


@pytest.mark.parametrize(
    "kind", ["byte-level", "bpe", "bpe of whole texts", "unigram", "unigram of whole texts"]
)
@pytest.mark.parametrize("n_shots", [0, 6])
def test_demonstrations_do_not_change_a_label(kind, n_shots, tokenizer, sentiment):
    """Labels are looked for behind the query alone; behind the whole prompt they are the same,
    however a tokenizer cuts.
    """
    words = Metaspace(split="whole" not in kind)
    if kind.startswith("bpe"):
        tokenizer = trained(
            BPE(),
            BpeTrainer(vocab_size=900, special_tokens=["<s>"], show_progress=False),
            words,
            sentiment,
        )
    elif kind.startswith("unigram"):
        tokenizer = trained(
            Unigram(),
            UnigramTrainer(
                vocab_size=900, special_tokens=["<s>"], unk_token="<s>", show_progress=False
            ),
            words,
            sentiment,
        )
    demonstrations, examples = (
        draw_demonstrations(sentiment, n_shots, 0),
        list(sentiment.splits["test"].select(range(20))),
    )
    wholes = [
        "".join(render(sentiment, shot, ("neg", "pos")[shot["label"]]) for shot in demonstrations)
        + render(sentiment, example)
        for example in examples
    ]
    tokens = tokenizer(wholes)["input_ids"]
    answered = [
        [tokenizer(f"{whole} {word}")["input_ids"] for word in ("neg", "pos")] for whole in wholes
    ]
    if all(longer[:-1] == prompt for prompt, row in zip(tokens, answered) for longer in row):
        prompts = encode(tokenizer, sentiment, ("neg", "pos"), demonstrations, examples)
        assert prompts.contexts == tokens and prompts.label_tokens == [
            [longer[-1] for longer in row] for row in answered
        ]
    else:
        assert kind not in ("byte-level", "bpe")
        with pytest.raises(ValueError, match="is not one token after"):
            encode(tokenizer, sentiment, ("neg", "pos"), demonstrations, examples)


def test_a_label_that_only_demonstrations_swallow_is_refused():
    """Alone `x t` is two tokens; behind a line end it is one, so the label is none of its own."""
    merges = [(" ", "t"), (" ", "u"), ("\n", "x"), ("\nx", " t")]
    pieces = ["x", "y", "t", "u", " ", "\n", *(first + second for first, second in merges)]
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(BPE({piece: i for i, piece in enumerate(pieces)}, merges))
    )
    task, example = (
        Task("letters", "{text} {label}", ("t", "u"), ("t", "u")),
        {
            "text": "x",
            "label": 0,
        },
    )
    assert encode(tokenizer, task, ("t", "u"), [], [example]).label_tokens == [[6, 7]]
    with pytest.raises(ValueError, match="the label word 't' is not one token after"):
        encode(tokenizer, task, ("t", "u"), [{"text": "y", "label": 1}], [example])


@pytest.mark.parametrize("word", ["positive", "pos neg", "Pos"])
def test_label_words_that_are_not_one_token_are_refused(tokenizer, sentiment, word):
    examples = list(sentiment.splits["test"].select(range(2)))
    with pytest.raises(ValueError, match=f"the label word {word!r} is not one token after"):
        encode(tokenizer, sentiment, ("neg", word), [], examples)


def test_label_words_that_are_the_same_token_are_refused(tokenizer, sentiment):
    examples = list(sentiment.splits["test"].select(range(2)))
    with pytest.raises(ValueError, match="label words pos, pos must be different tokens"):
        encode(tokenizer, sentiment, ("pos", "pos"), [], examples)


def test_a_template_may_have_other_columns(tokenizer, sentiment):
    task = replace(sentiment, template="{premise} then {text} sentiment: {label}")
    example = {"premise": "the coach was kind", "text": "the queen was proud", "label": 0}
    prompts = encode(tokenizer, task, ("neg", "pos"), [example], [example])
    assert (
        tokenizer.decode(prompts.contexts[0])
        == "the coach was kind then the queen was proud sentiment: neg\nthe coach was kind then the"
        " queen was proud sentiment:"
    )


def test_label_words_the_tokenizer_does_not_know_are_refused(sentiment):
    known = {word: i for i, word in enumerate(["[UNK]", "text", ":", "sentiment", "neg", "pos"])}
    words = Tokenizer(WordLevel(known, unk_token="[UNK]"))
    words.pre_tokenizer = Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, unk_token="[UNK]")
    examples = list(sentiment.splits["test"].select(range(2)))
    assert encode(tokenizer, sentiment, ("neg", "pos"), [], examples).label_tokens == [[4, 5]] * 2
    with pytest.raises(ValueError, match="the tokenizer does not know the label word 'good'"):
        encode(tokenizer, sentiment, ("neg", "good"), [], examples)
