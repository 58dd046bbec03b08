"""Prompts whose answer is one of the options that they list."""

from collections import Counter
from dataclasses import replace

import pytest
from datasets import Dataset
from tokenizers import Tokenizer
from tokenizers.models import BPE
from transformers import PreTrainedTokenizerFast

from svdicl_lite.scoring.prompts import draw_demonstrations, encode
from svdicl_lite.tasks.task import Task

CHOICE = Task(
    "choice", "{premise} {question} {label}", ("first", "second"), (), options=("one", "two")
)
CHOICES = [
    {
        "premise": "the coach was kind",
        "question": "today",
        "one": "the queen was proud",
        "two": "so the sailor praised the goal",
        "label": 1,
    },
    {
        "premise": "the banker was cruel",
        "question": "again",
        "one": "the mayor seemed dull",
        "two": "not",
        "label": 0,
    },
    {
        "premise": "anna found the doctor witty",
        "question": "today",
        "one": "the judge xyzzy'd 42",
        "two": "the coach, was it?",
        "label": 0,
    },
]


@pytest.mark.parametrize("n_shots", [0, 2])
def test_an_option_prompt_is_demonstrations_query_and_option(tokenizer, n_shots):
    prompts = encode(tokenizer, CHOICE, (), CHOICES[:n_shots], CHOICES)
    shown = (
        "the coach was kind today so the sailor praised the goal\nthe banker was cruel again the"
        " mayor seemed dull\n"
        if n_shots
        else ""
    )
    assert prompts.labels == [1, 0, 0]
    wholes = [
        [tokenizer.decode(context + option) for option in row]
        for context, row in zip(prompts.contexts, prompts.continuations)
    ]
    assert wholes == [
        [
            f"{shown}{example['premise']} {example['question']} {example[option]}"
            for option in ("one", "two")
        ]
        for example in CHOICES
    ]


def test_the_last_tokens_of_an_option_prompt_are_the_option_and_no_more(tokenizer):
    prompts = encode(tokenizer, CHOICE, (), CHOICES[:1], CHOICES)
    for row, example in zip(prompts.continuations, CHOICES, strict=True):
        assert [tokenizer.decode(option) for option in row] == [
            f" {example['one']}",
            f" {example['two']}",
        ]


def test_option_prompts_are_tokenised_as_the_one_text_they_are(tokenizer):
    prompts = encode(tokenizer, CHOICE, (), [], CHOICES)
    for context, row, example in zip(prompts.contexts, prompts.continuations, CHOICES):
        whole = f"{example['premise']} {example['question']} {example['two']}"
        assert context + row[1] == tokenizer(whole)["input_ids"]


def merging_tokenizer():
    """Byte-pair encoding without a pre-tokeniser: `y t` of `today the` is one token, and so is no
    option's beginning.
    """
    letters = {
        letter: i
        for i, letter in enumerate(
            sorted(
                {*" ".join(str(value) for example in CHOICES for value in example.values()), "\n"}
            )
        )
    }
    vocabulary = {**letters, "y ": len(letters), "y t": len(letters) + 1}
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(BPE(vocabulary, [("y", " "), ("y ", "t")]))
    )


class Stripping:
    """A tokenizer that cuts into letters and takes blanks off the ends."""

    all_special_tokens: list[str] = []

    def __call__(self, texts, add_special_tokens=True):
        if isinstance(texts, str):
            return {"input_ids": [ord(letter) for letter in texts.strip()]}
        return {"input_ids": [self(text)["input_ids"] for text in texts]}


def test_an_option_without_tokens_of_its_own_is_refused():
    with pytest.raises(
        ValueError,
        match=(
            "the option 'the queen was proud' does not begin with a token of its own after .*today'"
        ),
    ):
        encode(merging_tokenizer(), CHOICE, (), [], CHOICES)
    with pytest.raises(ValueError, match="the option '' does not begin with a token of its own"):
        encode(Stripping(), CHOICE, (), [], [{**CHOICES[1], "one": ""}])
    # `n t` of `again the` is three tokens there
    apart = encode(merging_tokenizer(), CHOICE, (), [], CHOICES[1:2])
    lengths = [[len(option) for option in row] for row in apart.continuations]
    assert lengths == [[len(" the mayor seemed dull"), len(" not")]]


def test_words_and_options_are_not_mixed_up(tokenizer, sentiment):
    with pytest.raises(
        ValueError,
        match=r"task 'choice' chooses between options \(one, two\), so it takes no label words",
    ):
        encode(tokenizer, CHOICE, ("neg", "pos"), [], CHOICES)
    with pytest.raises(
        ValueError, match="task 'sentiment' has no options, so encode needs its label words"
    ):
        encode(tokenizer, sentiment, (), [], list(sentiment.splits["test"].select(range(2))))
    with pytest.raises(
        ValueError,
        match=r"task 'choice' chooses between options \(one, two\) and has no label words",
    ):
        CHOICE.words()


def test_demonstrations_of_a_choice_are_balanced_over_the_right_option():
    rows = [{**CHOICES[0], "premise": f"premise {i}", "label": int(i % 3 == 0)} for i in range(30)]
    task = replace(CHOICE, splits={"train": Dataset.from_list(rows)})
    assert Counter(example["label"] for example in draw_demonstrations(task, 6, seed=0)) == {
        0: 3,
        1: 3,
    }
