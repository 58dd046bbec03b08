"""From examples to tokens: demonstrations, then a query whose label is missing.

A label is one token *in its context*: the answer to `text: … sentiment:` is ` pos` with its space, which is another token
than `pos`. So context and label are tokenised together, and the label is what the tokens grew by. Taught in chapter 03.
"""

import random
from typing import NamedTuple

from svdicl_lite.tasks import Task


class Prompts(NamedTuple):
    """Queries that share one set of demonstrations."""

    tokens: list[list[int]]  # N prompts, each with its demonstrations
    label_tokens: list[list[int]]  # (N, C): the token of each label word at the end of each prompt
    labels: list[int]  # (N,): the right class


def draw_demonstrations(task: Task, n_shots: int, seed: int) -> list[dict]:
    """`n_shots` training examples in random order, their classes as balanced as `n_shots` allows.

    Raises ValueError if the task has fewer than two classes or too few training examples of one.
    """
    if n_shots < 0:
        raise ValueError(f"n_shots is {n_shots}, but must be 0 or more")
    if len(task.classes) < 2:
        raise ValueError(f"task {task.name!r} has {len(task.classes)} class, but a choice needs at least two")
    rng = random.Random(f"demonstrations {seed}")
    classes = rng.sample(range(len(task.classes)), len(task.classes))  # who gets the odd one out is chance too
    labels = task.splits["train"]["label"][:]
    chosen = []
    for place, index in enumerate(classes):
        wanted = n_shots // len(classes) + (place < n_shots % len(classes))
        rows = [row for row, label in enumerate(labels) if label == index]
        if len(rows) < wanted:
            raise ValueError(
                f"{n_shots} shots need {wanted} training examples of class {task.classes[index]!r}, but task {task.name!r} has {len(rows)}"
            )
        chosen += rng.sample(rows, wanted)
    rng.shuffle(chosen)
    return [task.splits["train"][row] for row in chosen]


def render(task: Task, example: dict, word: str | None = None) -> str:
    """The example as text: up to where the label is due, or, given the `word`, with it and a line end."""
    context = task.template.partition("{label}")[0].rstrip().format(**example)
    return context if word is None else f"{context} {word}\n"


def encode(tokenizer, task: Task, words: tuple[str, ...], demonstrations: list[dict], examples: list[dict]) -> Prompts:
    """Tokenises one prompt per example: all demonstrations, then the example. `words` names the classes.

    Raises ValueError if a label word is not exactly one token where it is due.
    """
    shown = "".join(render(task, example, words[example["label"]]) for example in demonstrations)
    texts = [shown + render(task, example) for example in examples]
    tokens = tokenizer(texts)["input_ids"]
    columns = []
    for word in words:
        answered = tokenizer([f"{text} {word}" for text in texts])["input_ids"]
        for text, prompt, longer in zip(texts, tokens, answered):
            if longer[:-1] != prompt:
                pieces = tokenizer.convert_ids_to_tokens(longer[-4:])
                raise ValueError(
                    f"the label word {word!r} is not one token after {text[-20:]!r} (its tokens end in {pieces}); choose a shorter, commoner word"
                )
        columns.append([longer[-1] for longer in answered])
    if len({column[0] for column in columns}) < len(words):
        raise ValueError(f"the label words {', '.join(words)} must be different tokens")
    return Prompts(tokens, [list(row) for row in zip(*columns)], [example["label"] for example in examples])
