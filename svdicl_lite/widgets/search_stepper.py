"""The search stepper of chapter 08: Algorithm 1 rate by rate, on validation sets that the reader
draws.
"""

from functools import cached_property

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import traitlets

from svdicl_lite import plots
from svdicl_lite.clipping.svd import CLIP_RATES
from svdicl_lite.search.checks import check_clip_rates
from svdicl_lite.stats import wilson_interval
from svdicl_lite.widgets.base import Widget, script

SIZES = (20, 50, 100, 200, 400)  # of the validation sets that may be drawn
N_DRAWS = 200  # behind the figure and the table that stand in for the widget


class SearchStepper(Widget):
    """Algorithm 1 on outcomes that are there already: `validation` (rates, N) and `held_out`
    (rates, M), bool, right or wrong at each clip rate.

    The reader draws a validation set of some size from the N examples, goes through the rates, and
    sees what the winner does on the M held-out ones only at the end. Draw number k takes the first
    examples that `first_of(k, N, size)` names, so each can be drawn again. Raises ValueError unless
    both have a row for each rate, the first of which is 0, and N is at least the smallest size.
    Taught in chapter 08.
    """

    _esm = script("search_stepper")
    height = (455, 765)
    clip_rates = traitlets.List().tag(sync=True)
    # validation, held_out: eight outcomes a byte, each rate begins a new one
    bits = traitlets.Dict().tag(sync=True)
    counts = traitlets.Dict().tag(sync=True)
    sizes = traitlets.List().tag(sync=True)
    size = traitlets.Int().tag(sync=True)
    draw = traitlets.Int(1, min=1).tag(sync=True)  # the number of the validation set
    # rates tried; one more opens the held-out set. A page begins one press before that.
    step = traitlets.Int(min=0).tag(sync=True)

    def __init__(
        self, validation: np.ndarray, held_out: np.ndarray, clip_rates=CLIP_RATES, size: int = 50
    ):
        self.rates = check_clip_rates(clip_rates)
        self.validation, self.held_out = (
            np.asarray(outcomes, dtype=bool) for outcomes in (validation, held_out)
        )
        for name, outcomes in (("validation", self.validation), ("held_out", self.held_out)):
            if outcomes.ndim != 2 or len(outcomes) != len(self.rates):
                raise ValueError(
                    f"{name} has shape {outcomes.shape}, but must be ({len(self.rates)}, N): right"
                    " or wrong at each clip rate, example by example"
                )
        sizes = [n for n in SIZES if n <= self.validation.shape[1]]
        if size not in sizes:
            raise ValueError(
                f"size is {size}, but must be one of {', '.join(map(str, SIZES))} and at most"
                f" {self.validation.shape[1]}, the examples there are"
            )
        by_name = {"validation": self.validation, "held_out": self.held_out}
        super().__init__(
            clip_rates=list(self.rates),
            bits={name: np.packbits(rows, 1).tobytes() for name, rows in by_name.items()},
            counts={name: rows.shape[1] for name, rows in by_name.items()},
            sizes=sizes,
            size=size,
            step=len(self.rates),
        )

    def drawn(self, draw: int, size: int) -> tuple[np.ndarray, int, float, float]:
        """Draw number `draw`: the accuracy at each rate (rates,), the winner's index, the gain it
        promises, and the gain it keeps on what is held out.
        """
        accuracy = self.validation[:, first_of(draw, self.validation.shape[1], size)].mean(1)
        winner = int(accuracy.argmax())  # argmax returns the first of equals
        truth = self.held_out.mean(1)
        return accuracy, winner, accuracy[winner] - accuracy[0], truth[winner] - truth[0]

    @cached_property
    def winners(self) -> pd.DataFrame:
        """A row a size, over many draws: how often each rate won, the mean gain promised and kept,
        and the optimism, their difference.
        """
        rows = []
        for size in self.sizes:
            draws = [self.drawn(k, size) for k in range(1, N_DRAWS + 1)]
            winners = [winner for _, winner, *_ in draws]
            shares = np.bincount(winners, minlength=len(self.rates)) / N_DRAWS
            promised, kept = np.mean([draw[2:] for draw in draws], 0)
            rows.append([size, *shares, promised, kept, promised - kept])
        wins = [f"ξ = {rate:g} wins" for rate in self.rates]
        return pd.DataFrame(rows, columns=["size", *wins, "promised", "kept", "optimism"])

    def table(self) -> pd.DataFrame:
        """The same data in numbers, as the page folds them below the widget."""
        return self.winners.map(lambda value: f"{value:.3f}" if isinstance(value, float) else value)

    def figure(self) -> plt.Figure:
        """The same data as a picture, for print and for pages without a script."""
        fig, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.6), layout="constrained")
        won, x = self.winners, np.arange(len(self.rates))
        for outcomes, mark, inside, label in (
            (self.validation, "o-", "white", "all to draw from"),
            (self.held_out, "s--", plots.CLIP, "held out"),
        ):
            low, high = np.transpose([wilson_interval(row.sum(), len(row)) for row in outcomes])
            left.errorbar(
                x,
                outcomes.mean(1),
                [outcomes.mean(1) - low, high - outcomes.mean(1)],
                fmt=mark,
                color=plots.CLIP,
                mfc=inside,
                capsize=3,
                label=f"{label}, n = {outcomes.shape[1]:,}",
            )
        left.set_xticks(x, [f"{rate:g}" for rate in self.rates])
        left.set(xlabel="clip rate ξ", ylabel="accuracy")
        left.legend(frameon=False, fontsize="small")
        for column, mark, inside in (("promised", "o-", "white"), ("kept", "s--", plots.CLIP)):
            places = range(len(won))
            right.plot(places, won[column], mark, color=plots.CLIP, mfc=inside, label=column)
        right.set_xticks(range(len(won)), won["size"])
        right.set(xlabel="validation examples", ylabel="mean gain of the winner")
        right.legend(frameon=False, fontsize="small")
        plt.close(fig)
        return fig

    def alt(self) -> str:
        """The picture told in words."""
        won = self.winners
        told = [
            f"with {row.size} examples it promises {100 * row.promised:+.1f} points and keeps"
            f" {100 * row.kept:+.1f}"
            for row in won.iloc[[0, -1]].itertuples()
        ]
        return (
            f"Left, accuracy at each of {len(self.rates)} clip rates, on all"
            f" {self.validation.shape[1]:,} examples that validation sets are drawn from and on"
            f" {self.held_out.shape[1]:,} held-out ones. Right, the mean gain that a winner"
            " promises on its validation set and keeps on the held-out examples:"
            f" {'; '.join(told)}."
        )


def first_of(seed: int, n: int, size: int) -> np.ndarray:
    """`size` of the numbers 0 … n − 1, as search_stepper.js draws them too: Fisher and Yates's
    shuffle, broken off, by the generator mulberry32.
    """
    order, state = np.arange(n), seed & 0xFFFFFFFF
    for i in range(min(size, n - 1)):
        state = (state + 0x6D2B79F5) & 0xFFFFFFFF
        t = (state ^ state >> 15) * (state | 1) & 0xFFFFFFFF
        t ^= (t + ((t ^ t >> 7) * (t | 61) & 0xFFFFFFFF)) & 0xFFFFFFFF
        j = i + (t ^ t >> 14) * (n - i) // 2**32
        order[i], order[j] = order[j], order[i]
    return order[:size]
