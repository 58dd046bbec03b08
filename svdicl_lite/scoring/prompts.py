"""From examples to tokens: demonstrations, then a query whose answer is missing.

An answer is a continuation: tokens that follow the context. A label word is a continuation of one
token *in its context*: the answer to `text: … sentiment:` is ` pos` with its space, which is
another token than `pos`. So context and answer are tokenised together, and the answer is what the
tokens grew by. An option, the answer of a task such as COPA, is found the same way and is as long
as it is. Taught in chapter 03.
"""

import random
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from svdicl_lite.scoring.tokens import Tokens as Tokens
from svdicl_lite.scoring.tokens import check_as_text, spells_special, tokenise
from svdicl_lite.tasks.task import Task, template_fields

Example = dict[str, Any]  # one row of a task: its columns, and "label", the number of its class


class Prompts(NamedTuple):
    """Queries that share one set of demonstrations, and the answers between which each chooses."""

    contexts: list[Tokens]  # N prompts, each with its demonstrations, up to where the answer is due
    continuations: list[list[Tokens]]  # (N, C): the tokens of each answer after each context
    labels: list[int]  # (N,): the right answer
    of_options: bool = False  # answers are options, judged by log-likelihood; label words by logit

    @property
    def label_tokens(self) -> list[Tokens]:
        """(N, C): the first token of each answer; of a label word that is all there is."""
        return [[answer[0] for answer in answers] for answers in self.continuations]

    @property
    def lengths(self) -> list[int]:
        """(N,): the positions that each prompt takes: an option is read, a label word is not."""
        if not self.of_options:
            return [len(context) for context in self.contexts]
        return [
            len(context) + max(map(len, answers))
            for context, answers in zip(self.contexts, self.continuations)
        ]

    @property
    def longest(self) -> int:
        """The positions that the longest prompt takes."""
        return max(self.lengths)


def draw_demonstrations(task: Task, n_shots: int, seed: int) -> list[Example]:
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
    # who gets the odd one out is chance too
    classes = rng.sample(range(len(task.classes)), len(task.classes))
    labels = task.splits["train"]["label"][:]
    chosen: list[int] = []
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


def render(task: Task, example: Example, word: str | None = None) -> str:
    """The example as text: up to where the answer is due, or, given the `word`, with it and a line
    end.
    """
    context = task.template.partition("{label}")[0].rstrip().format(**example)
    return context if word is None else f"{context} {word}\n"


def encode(
    tokenizer: Any,
    task: Task,
    words: Sequence[str],
    demonstrations: list[Example],
    examples: list[Example],
) -> Prompts:
    """Tokenises one prompt per example: all demonstrations with their answers, then the example.

    `words` names the classes; of a task whose answers are options, each example brings its own, and
    `words` is empty. A special token's spelling in a text is text, and what a tokenizer puts after
    a text (EOS) is left off. Raises ValueError if a label word is not exactly one token where it is
    due, and one the tokenizer knows, if the tokenizer merges the end of a context with an option,
    or if it cannot read as text what spells a special token.
    """
    _check_words(task, words)
    for word in words:
        if spells_special(tokenizer, word):
            raise ValueError(
                f"the label word {word!r} spells a special token of the tokenizer; take another"
            )
    shown = "".join(
        render(task, example, _answers(task, words, example)[example["label"]])
        for example in demonstrations
    )
    asked = [render(task, example) for example in examples]
    as_text = check_as_text(tokenizer, task.template, _texts(task, demonstrations + examples))

    def cut(texts: Sequence[str]) -> list[Tokens]:
        return tokenise(tokenizer, texts, as_text)

    contexts = cut([shown + text for text in asked])
    if task.options:
        texts, ends = [shown + text for text in asked], contexts
    else:
        texts, ends = _to_look_for_labels(cut, shown, asked, contexts)
    columns: list[list[Tokens]] = []
    for c in range(len(task.options or words)):
        answers = [_answers(task, words, example)[c] for example in examples]
        answered = cut([f"{text} {answer}" for text, answer in zip(texts, answers)])
        column = []
        for text, end, answer, longer in zip(texts, ends, answers, answered):
            column.append(_continuation(tokenizer, text, end, answer, longer, not task.options))
        columns.append(column)
    if not task.options and len({column[0][0] for column in columns}) < len(words):
        raise ValueError(f"the label words {', '.join(words)} must be different tokens")
    continuations = [list(row) for row in zip(*columns)]
    labels = [example["label"] for example in examples]
    return Prompts(contexts, continuations, labels, of_options=bool(task.options))


def _check_words(task: Task, words: Sequence[str]) -> None:
    if task.options and words:
        raise ValueError(
            f"task {task.name!r} chooses between options ({', '.join(task.options)}), so it takes"
            " no label words; encode it with words=()"
        )
    if not task.options and not words:
        raise ValueError(
            f"task {task.name!r} has no options, so encode needs its label words; pass task.words()"
        )


def _answers(task: Task, words: Sequence[str], example: Example) -> list[str]:
    """The texts between which this example chooses."""
    return [example[column] for column in task.options] if task.options else list(words)


def _texts(task: Task, examples: list[Example]) -> list[str]:
    """What the examples bring into a prompt, one text each."""
    fields = [name for name in template_fields(task.template) if name != "label"]
    columns = [*fields, *task.options]
    return ["\n".join(str(example[name]) for name in columns) for example in examples]


def _to_look_for_labels(
    cut: Callable[[Sequence[str]], list[Tokens]],
    shown: str,
    asked: list[str],
    contexts: list[Tokens],
) -> tuple[list[str], list[Tokens]]:
    """Texts, and their tokens, after which label words are looked for: the queries alone, because
    sixteen demonstrations take ten times as long; or the whole prompts, where demonstrations change
    how a query is cut.
    """
    alone = cut(asked) if shown else contexts
    # the first two tokens of a query may be cut otherwise when nothing stands before it
    if all(
        len(end) > 4 and end[2:] == context[2 - len(end) :] for end, context in zip(alone, contexts)
    ):
        return asked, alone
    return [shown + text for text in asked], contexts


def _continuation(
    tokenizer: Any, text: str, end: Tokens, answer: str, longer: Tokens, one_token: bool
) -> Tokens:
    """The tokens of the `answer` after `text`, whose tokens are `end`, and together `longer`."""
    n = len(end)
    if one_token and longer[:-1] != end:
        pieces = tokenizer.convert_ids_to_tokens(longer[-4:])
        raise ValueError(
            f"the label word {answer!r} is not one token after {text[-20:]!r} (its tokens end in"
            f" {pieces}); choose a shorter, commoner word"
        )
    if one_token and longer[-1] == tokenizer.unk_token_id:
        raise ValueError(
            f"the tokenizer does not know the label word {answer!r}; choose a commoner one"
        )
    if longer[:n] != end or len(longer) == n:
        raise ValueError(
            f"the option {answer!r} does not begin with a token of its own after {text[-20:]!r}, so"
            " it cannot be scored alone; end the template differently"
        )
    return longer[n:]
