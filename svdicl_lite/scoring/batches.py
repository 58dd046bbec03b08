"""How prompts are run: sets of them, parts of a set, and batches that hold parts of several sets.
Taught in chapters 03 and 07.
"""

import inspect
from dataclasses import dataclass
from itertools import takewhile
from typing import NamedTuple

import torch
from torch import Tensor
from transformers import DynamicCache

from svdicl_lite.scoring.prompts import OptionPrompts, Prompts


class Part(NamedTuple):
    """Prompts of one set, of about one length, without the beginning that all prompts of the set
    share.
    """

    index: list[int]  # which prompts of the set these are
    rows: list[list[int]]
    answers: list[list[int]]  # label tokens, or the option's own
    n_answer: list[int]  # tokens of the option, 0 where a label is to come


class Plan:
    """How one set of prompts is run: first what all of them share, then the rest, the short ones
    first, in parts of at most `batch_size`.
    """

    def __init__(self, prompts: Prompts | OptionPrompts, batch_size: int):
        self.of_options, self.batch_size = isinstance(prompts, OptionPrompts), batch_size
        # every option of every query is a prompt of its own, and its own last tokens are the answer
        if self.of_options:
            tokens = [prompt for options in prompts.tokens for prompt in options]
            n_answer = [n for row in prompts.n_option_tokens for n in row]
            answers = [prompt[-n:] for prompt, n in zip(tokens, n_answer)]
            self.shape = len(prompts.tokens), len(prompts.tokens[0])  # N, C
        else:
            tokens, answers, n_answer = (
                prompts.tokens,
                prompts.label_tokens,
                [0] * len(prompts.tokens),
            )
            self.shape = len(tokens), len(answers[0])
        first, last = min(tokens), max(tokens)  # what these two share, all share
        common = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, last)))
        common = min(common, min(len(prompt) - n for prompt, n in zip(tokens, n_answer)) - 1)
        self.prefix = torch.tensor([first[:common]], dtype=torch.long)  # (1, T_d)
        order = sorted(range(len(tokens)), key=lambda i: len(tokens[i]))
        n_parts = -(-len(order) // batch_size)
        parts = [
            order[i * len(order) // n_parts : (i + 1) * len(order) // n_parts]
            for i in range(n_parts)
        ]
        self.parts = [
            Part(
                part,
                [tokens[i][common:] for i in part],
                [answers[i] for i in part],
                [n_answer[i] for i in part],
            )
            for part in parts
        ]


@dataclass(frozen=True)
class Batch:
    """What runs as one: a part of a set, or the parts of several sets that have room together,
    filled up on the right.
    """

    sets: list[
        tuple[int, list[int]]
    ]  # the number of a set and which of its prompts, in the order of the rows; B prompts in all
    tokens: Tensor  # (B, T)
    answers: Tensor  # (B, C) label tokens, or (B, A) the option's own, −1 behind a shorter one
    # (B, 1) or (B, A) the positions, from the end, whose logits speak about the answer: 1 is the
    # last
    read: Tensor

    @classmethod
    def of(cls, parts: list[tuple[int, Part]]) -> "Batch":
        rows, answers, n_answer = (
            sum(column, []) for column in zip(*(part[1:] for _, part in parts))
        )
        longest, width = max(map(len, rows)), max(map(len, answers))
        filled = [row + row[-1:] * (longest - len(row)) for row in rows]
        read = [
            [longest - len(row) + max(n, 1) + (n > 0) - i for i in range(max(n, 1))]
            for row, n in zip(rows, n_answer)
        ]
        read = [
            positions + [1] * (max(map(len, read)) - len(positions)) for positions in read
        ]  # behind a shorter option: not counted
        answers = torch.tensor([answer + [-1] * (width - len(answer)) for answer in answers])
        return cls(
            [(number, part.index) for number, part in parts],
            torch.tensor(filled),
            answers,
            torch.tensor(read),
        )


def batches_of(model, plans: list[Plan], prefixes: list[DynamicCache]) -> list[Batch]:
    """All that is to run behind the prefixes. Sets run together as far as a batch has room, where
    the model allows it.

    A model does if it can be told the positions of tokens, which depend on the set, and if all of
    its attention is `attend`, which knows the sets. Without demonstrations nothing depends on the
    set.
    """
    attended = all(
        layer.is_initialized and layer.attended for prefix in prefixes for layer in prefix.layers
    )
    positions = "position_ids" in inspect.signature(model.forward).parameters
    mergeable = (attended and positions) or not any(plan.prefix.numel() for plan in plans)
    groups: list[list[tuple[int, Part]]] = []
    for number, plan in enumerate(plans):
        for part in plan.parts:
            n = sum(len(other.index) for _, other in groups[-1]) if groups else 0
            if mergeable and groups and n + len(part.index) <= plan.batch_size:
                groups[-1].append((number, part))
            else:
                groups.append([(number, part)])
    return [Batch.of(group) for group in groups]
