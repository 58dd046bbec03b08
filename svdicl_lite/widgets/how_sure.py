"""The plan of a comparison (how sure?): sample size, sets and effect in; interval and power out."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
import traitlets

from svdicl_lite import plots
from svdicl_lite.power import power, smallest_gain_seen
from svdicl_lite.widgets.base import Widget, script

SETS, SIZES = (1, 4, 8, 16, 32), (100, 200, 400, 1000, 4000)


class HowSure(Widget):
    """How well `n` examples on `sets` of demonstrations show a true `gain` in accuracy, when a
    share `changed` of the answers changes and the true gain has a standard deviation of `spread`
    from set to set; and how well as the smallest of `comparisons` p-values.

    The arguments are those of `svdicl_lite.power.power`; the page computes the same. Taught in
    chapter 04.
    """

    _esm = script("how_sure")
    height = (540, 795)
    n = traitlets.Int(400, min=100, max=4000).tag(sync=True)
    sets = traitlets.Int(8, min=1, max=32).tag(sync=True)
    gain = traitlets.Float(0.05, min=0, max=0.2).tag(sync=True)
    changed = traitlets.Float(0.2, min=0.05, max=0.6).tag(sync=True)
    spread = traitlets.Float(0.06, min=0, max=0.15).tag(sync=True)
    comparisons = traitlets.Int(11, min=1, max=40).tag(sync=True)

    def table(self) -> pd.DataFrame:
        """The smallest gain that is shown as often as not, in points, for some sizes and sets."""
        seen = {
            f"{sets} {'set' if sets == 1 else 'sets'}": [
                self._text(smallest_gain_seen(n, sets, self.changed, self.spread)) for n in SIZES
            ]
            for sets in SETS
        }
        return pd.DataFrame({"examples": [f"{n:,}" for n in SIZES], **seen})

    @staticmethod
    def _text(gain: float | None) -> str:
        return "–" if gain is None else f"{100 * gain:.1f}"

    def figure(self) -> plt.Figure:
        """The power at gains up to those that need all changes, a curve for each number of sets."""
        gains = np.linspace(0, self.changed, 40)
        fig, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
        shades = sns.color_palette("viridis", len(SETS) - 1)
        for sets, line, shade in zip(SETS[1:], ("-", "--", "-.", ":"), shades):
            chance = [power(gain, self.n, sets, self.changed, self.spread) for gain in gains]
            ax.plot(100 * gains, chance, line, color=shade, label=f"{sets} sets")
        ax.axhline(0.5, color=plots.GONE, lw=0.8)
        ax.set(xlabel="true gain (points)", ylabel="share of experiments that show it")
        ax.legend(frameon=False)
        plt.close(fig)
        return fig

    def alt(self) -> str:
        """The picture told in words."""
        told = [
            f"{sets} sets {self._text(smallest_gain_seen(self.n, sets, self.changed, self.spread))}"
            for sets in SETS[1:]
        ]
        return (
            f"The chance that {self.n:,} examples show a gain, rising with the gain, a curve for"
            f" each number of sets. In points, the gain that is shown as often as not:"
            f" {', '.join(told)}."
        )
