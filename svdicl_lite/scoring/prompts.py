"""From examples to tokens: demonstrations, then a query whose label is missing.

A label is one token *in its context*: the answer to `text: … sentiment:` is ` pos` with its space,
which is another token than `pos`. So context and label are tokenised together, and the label is
what the tokens grew by. An option, the answer of a task such as COPA, is many tokens, found the
same way. Taught in chapter 03.
"""

import random
from typing import NamedTuple

from svdicl_lite.tasks.task import Task


class Prompts(NamedTuple):
    """Queries that share one set of demonstrations."""

    tokens: list[list[int]]  # N prompts, each with its demonstrations
    label_tokens: list[list[int]]  # (N, C): the token of each label word at the end of each prompt
    labels: list[int]  # (N,): the right class


class OptionPrompts(NamedTuple):
    """Queries that share one set of demonstrations, each once behind every one of its C options."""

    tokens: list[list[list[int]]]  # N × C prompts: demonstrations, query, option
    n_option_tokens: list[list[int]]  # (N, C): how many of a prompt's last tokens are the option
    labels: list[int]  # (N,): the right option


def draw_demonstrations(task: Task, n_shots: int, seed: int) -> list[dict]:
    """`n_shots` training examples in random order, their classes as balanced as `n_shots` allows.

    Raises ValueError if the task has fewer than two classes or too few training examples of one.
    """
    if n_shots < 0:
        raise ValueError(f"n_shots is {n_shots}, but must be 0 or more")
    if len(task.classes) < 2:
        raise ValueError(
            f"task {task.name!r} has {len(task.classes)} class, but a choice needs at least two"
        )
    rng = random.Random(f"demonstrations {seed}")
    classes = rng.sample(
        range(len(task.classes)), len(task.classes)
    )  # who gets the odd one out is chance too
    labels = task.splits["train"]["label"][:]
    chosen = []
    for place, index in enumerate(classes):
        wanted = n_shots // len(classes) + (place < n_shots % len(classes))
        rows = [row for row, label in enumerate(labels) if label == index]
        if len(rows) < wanted:
            raise ValueError(
                f"{n_shots} shots need {wanted} training examples of class {task.classes[index]!r},"
                f" but task {task.name!r} has {len(rows)}"
            )
        chosen += rng.sample(rows, wanted)
    rng.shuffle(chosen)
    return [task.splits["train"][row] for row in chosen]


def render(task: Task, example: dict, word: str | None = None) -> str:
    """The example as text: up to where the label is due, or, given the `word`, with it and a line
    end.
    """
    context = task.template.partition("{label}")[0].rstrip().format(**example)
    return context if word is None else f"{context} {word}\n"


def encode(
    tokenizer, task: Task, words: tuple[str, ...], demonstrations: list[dict], examples: list[dict]
) -> Prompts:
    """Tokenises one prompt per example: all demonstrations, then the example. `words` names the
    classes.

    Raises ValueError if a label word is not exactly one token where it is due, and one the
    tokenizer knows.
    """
    if task.options:
        raise ValueError(
            f"task {task.name!r} chooses between options ({', '.join(task.options)}); encode it"
            " with encode_options"
        )
    shown = "".join(render(task, example, words[example["label"]]) for example in demonstrations)
    contexts = [render(task, example) for example in examples]
    tokens = tokenizer([shown + context for context in contexts])["input_ids"]
    texts, ends = (
        contexts,
        (tokenizer(contexts)["input_ids"] if shown else tokens),
    )  # a label is looked for without the demonstrations: sixteen take ten times as long
    if not all(
        len(end) > 4 and end[2:] == prompt[2 - len(end) :] for end, prompt in zip(ends, tokens)
    ):  # unless they change how the query is cut
        texts, ends = [shown + context for context in contexts], tokens
    columns = []
    for word in words:
        answered = tokenizer([f"{text} {word}" for text in texts])["input_ids"]
        for text, end, longer in zip(texts, ends, answered):
            if longer[:-1] != end:
                pieces = tokenizer.convert_ids_to_tokens(longer[-4:])
                raise ValueError(
                    f"the label word {word!r} is not one token after {text[-20:]!r} (its tokens end"
                    f" in {pieces}); choose a shorter, commoner word"
                )
        if any(longer[-1] == tokenizer.unk_token_id for longer in answered):
            raise ValueError(
                f"the tokenizer does not know the label word {word!r}; choose a commoner one"
            )
        columns.append([longer[-1] for longer in answered])
    if len({column[0] for column in columns}) < len(words):
        raise ValueError(f"the label words {', '.join(words)} must be different tokens")
    return Prompts(
        tokens, [list(row) for row in zip(*columns)], [example["label"] for example in examples]
    )


def encode_options(
    tokenizer, task: Task, demonstrations: list[dict], examples: list[dict]
) -> OptionPrompts:
    """Tokenises one prompt per example and option: all demonstrations with their right option, the
    example, the option.

    Raises ValueError if the task has no options, or if the tokenizer merges the end of the context
    with an option.
    """
    if not task.options:
        raise ValueError(
            f"task {task.name!r} has label words and no options; encode it with encode"
        )
    shown = "".join(
        render(task, example, example[task.options[example["label"]]]) for example in demonstrations
    )
    contexts = [shown + render(task, example) for example in examples]
    context_tokens = tokenizer(contexts)["input_ids"]
    columns = []
    for column in task.options:
        prompts = tokenizer(
            [f"{context} {example[column]}" for context, example in zip(contexts, examples)]
        )["input_ids"]
        for context, before, prompt, example in zip(contexts, context_tokens, prompts, examples):
            if prompt[: len(before)] != before or len(prompt) == len(before):
                raise ValueError(
                    f"the option {example[column]!r} does not begin with a token of its own after"
                    f" {context[-20:]!r}, so it cannot be scored alone; end the template"
                    " differently"
                )
        columns.append(prompts)
    tokens = [list(row) for row in zip(*columns)]
    n_option_tokens = [
        [len(prompt) - len(before) for prompt in row] for row, before in zip(tokens, context_tokens)
    ]
    return OptionPrompts(tokens, n_option_tokens, [example["label"] for example in examples])
