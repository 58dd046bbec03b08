"""How prompts are run: sets of them, each split into what all its prompts share and the rest, and
batches that hold prompts of several sets. Taught in chapters 03 and 08.
"""

import inspect
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import NamedTuple

import torch
from torch import Tensor
from transformers import PreTrainedModel

from svdicl_lite.clipping.matrices import blocks
from svdicl_lite.scoring.cuts import cut_by_length
from svdicl_lite.scoring.prefix_cache import PrefixCache
from svdicl_lite.scoring.prompts import Prompts
from svdicl_lite.scoring.rotary import Rule, check_sides, rule_of, side_of
from svdicl_lite.scoring.tokens import Tokens

# What a batch costs beside its positions, in multiply-adds a block: the calls of Python and torch,
# which take as long whatever the size of a tensor. Another set of demonstrations in a batch costs
# a part of that. Measured on two cores (benchmarks/README.md); a wrong guess costs time alone.
OVERHEAD_OF_A_BATCH = 2e8
OVERHEAD_OF_A_SET = 0.15  # of a batch's


class Row(NamedTuple):
    """One sequence that the model reads, and the tokens that its last positions are asked about."""

    tokens: Tokens
    targets: Tokens  # all label words, asked of the last position; or an option's tokens in order
    n_read: int  # how many of the last positions are asked: 1, or as many as the option has tokens


def rows_of(prompts: Prompts) -> list[Row]:
    """What is to be read for the prompts: a row a prompt for label words, which share a context; a
    row a prompt and option for options, prompt by prompt. The last token of an option need not be
    read: nothing is asked after it.

    >>> rows_of(Prompts([[5, 6]], [[[7], [8]]], [0]))
    [Row(tokens=[5, 6], targets=[7, 8], n_read=1)]
    >>> rows_of(Prompts([[5, 6]], [[[7, 1], [8]]], [0], of_options=True))
    [Row(tokens=[5, 6, 7], targets=[7, 1], n_read=2), Row(tokens=[5, 6], targets=[8], n_read=1)]
    """
    if not prompts.of_options:
        return [
            Row(context, words, 1) for context, words in zip(prompts.contexts, prompts.label_tokens)
        ]
    rows: list[Row] = []
    for context, options in zip(prompts.contexts, prompts.continuations):
        for option in options:
            rows.append(Row(context + option[:-1], option, len(option)))
    return rows


def n_shared(sequences: Sequence[Tokens]) -> int:
    """How many first tokens all sequences have in common.

    >>> n_shared([[1, 2, 3], [1, 2, 4, 5], [1, 2, 4]])
    2
    """
    first, last = min(sequences), max(sequences)  # in the order of a dictionary: what they share,
    alike = takewhile(lambda pair: pair[0] == pair[1], zip(first, last))  # all between them share
    return sum(1 for _ in alike)


class Plan:
    """How one set of prompts is run: first what all of them share, then the rest of each."""

    def __init__(self, prompts: Prompts, batch_size: int):
        self.of_options, self.batch_size = prompts.of_options, batch_size
        self.shape = len(prompts.contexts), len(prompts.continuations[0])  # N, C
        rows = rows_of(prompts)
        # all positions that are asked stand after the prefix
        longest = min(len(row.tokens) - row.n_read for row in rows)
        n = min(n_shared([row.tokens for row in rows]), longest)
        self.prefix = torch.tensor([rows[0].tokens[:n]], dtype=torch.long)  # (1, T_d)
        self.rows = [row._replace(tokens=row.tokens[n:]) for row in rows]

    def side(self, rule: Rule | None) -> str | None:
        """On which side its sequences lie of a length at which positions change: see
        `rotary.side_of`. An option counts whole, though its last token need not be read.
        """
        lengths = [len(row.tokens) + self.of_options for row in self.rows]
        n = self.prefix.shape[1]
        return side_of(rule, n, n + min(lengths), n + max(lengths))


@dataclass(frozen=True)
class Batch:
    """What runs as one: rows of one set or of several, padded on the right, where a causal model
    cannot see it. The rows of a set stand together.
    """

    sets: list[tuple[int, list[int]]]  # the number of a plan and which of its rows; B rows in all
    tokens: Tensor  # (B, T)
    targets: Tensor  # (B, C) label tokens, or (B, A) an option's own, −1 after a shorter one
    read_at: Tensor  # (B, 1) or (B, A): the columns whose logits are asked about the targets
    of_options: bool

    @classmethod
    def of(cls, plans: Sequence[Plan], members: Sequence[tuple[int, int]]) -> "Batch":
        """Of these (number of a plan, number of a row)."""
        sets = defaultdict(list)
        for plan, row in sorted(members):
            sets[plan].append(row)
        rows = [plans[plan].rows[i] for plan, index in sets.items() for i in index]
        T = max(len(row.tokens) for row in rows)
        width = max(len(row.targets) for row in rows)
        padded = [row.tokens + row.tokens[-1:] * (T - len(row.tokens)) for row in rows]
        targets = [row.targets + [-1] * (width - len(row.targets)) for row in rows]
        read_at = columns_to_read([len(row.tokens) for row in rows], [row.n_read for row in rows])
        return cls(
            list(sets.items()),
            torch.tensor(padded),
            torch.tensor(targets),
            torch.tensor(read_at),
            plans[0].of_options,
        )

    @property
    def n_last(self) -> int:
        """How many last columns hold all that are read."""
        return self.tokens.shape[1] - int(self.read_at.min())


def columns_to_read(lengths: Sequence[int], n_read: Sequence[int]) -> list[list[int]]:
    """The columns of a batch, padded on the right, at which each row is read: its last `n_read`.

    A row of 3 tokens that is asked for the next one is read at column 2, wherever the padding ends.
    A row of 4 tokens in which an option of 3 is judged is read at columns 1, 2 and 3: the logits
    there speak about the option's first, second and third token. A row with fewer columns than
    another repeats its last one, which then has no target.

    >>> columns_to_read(lengths=[5, 3], n_read=[1, 1])
    [[4], [2]]
    >>> columns_to_read(lengths=[4, 2], n_read=[3, 1])
    [[1, 2, 3], [1, 1, 1]]
    """
    width = max(n_read)
    columns = []
    for length, n in zip(lengths, n_read):
        columns.append([*range(length - n, length), *[length - 1] * (width - n)])
    return columns


def batches_of(
    model: PreTrainedModel, plans: Sequence[Plan], prefixes: Sequence[PrefixCache]
) -> list[Batch]:
    """All that is to run after the prefixes, in batches of rows of about one length.

    Rows of several sets run together where the model allows it and it saves padding. A model allows
    it if it can be told the positions of tokens, which depend on the set, and if all of its
    attention meets prefixes apart (`PrefixCache.meets_apart`). Without demonstrations nothing
    depends on the set. Raises ValueError for rows that cannot be read together (`rotary`).
    """
    rule = rule_of(model)
    check_sides([plan.side(rule) for plan in plans])
    apart = all(prefix.meets_apart for prefix in prefixes)
    positions = "position_ids" in inspect.signature(model.forward).parameters
    mergeable = (apart and positions) or not any(plan.prefix.numel() for plan in plans)
    weights = sum(parameter.numel() for parameter in blocks(model).parameters())
    overhead = OVERHEAD_OF_A_BATCH * len(blocks(model)) / weights
    # sets together in ones, twos, fours, …: more of them need less padding, and more products
    sizes = [1]
    while mergeable and sizes[-1] < len(plans):
        sizes.append(2 * sizes[-1])
    made = [_cut(plans, size, overhead) for size in sizes]
    _, members = min(made, key=lambda costed: costed[0])
    return [Batch.of(plans, part) for part in members]


def _cut(
    plans: Sequence[Plan], n_sets: int, overhead: float
) -> tuple[float, list[list[tuple[int, int]]]]:
    """What running `n_sets` sets at a time costs, in positions, and the members of each batch."""
    total = 0.0
    batches: list[list[tuple[int, int]]] = []
    for first in range(0, len(plans), n_sets):
        members: list[tuple[int, int]] = []
        for number in range(first, min(first + n_sets, len(plans))):
            members += [(number, i) for i in range(len(plans[number].rows))]
        members.sort(key=lambda member: len(plans[member[0]].rows[member[1]].tokens))
        lengths = [len(plans[number].rows[i].tokens) for number, i in members]
        for part in cut_by_length(lengths, plans[first].batch_size, overhead):
            batches.append(members[part])
            sets = len({number for number, _ in members[part]})
            total += (part.stop - part.start) * lengths[part.stop - 1]
            total += overhead * (1 + OVERHEAD_OF_A_SET * (sets - 1))
    return total, batches
