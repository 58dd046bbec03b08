"""The rank slider of chapter 01: a picture and a weight matrix, rebuilt from their factors as the
clip rate moves.
"""

import matplotlib.pyplot as plt
import pandas as pd
import torch
import traitlets
from torch import Tensor

from svdicl_lite import plots
from svdicl_lite.clipping.svd import CLIP_RATES, SVD, check_clip_rate, energy, rank_at
from svdicl_lite.widgets.base import Widget, packed, script

PIXELS = 128  # the longer side of the picture
MOST = (
    100_000  # numbers in the factors of both: with two bytes each, and a third more as text, 267 KB
)


class RankSlider(Widget):
    """A grey `image` (height, width), 0 black to 1 white, and a matrix `W` (m, n), both cut at
    `clip_rate`.

    The page holds the factors and multiplies them out; the error beside each picture is measured on
    what was multiplied out, and the curve is what the theorem of Eckart and Young allows. The image
    is shrunk to 128 pixels. Raises ValueError if W is too large to ride in a page. Taught in
    chapter 01.
    """

    _esm = script("rank_slider")
    height = (860, 1170)
    clip_rate = traitlets.Float(0.9, min=0, max=1).tag(sync=True)
    parts = traitlets.List().tag(
        sync=True
    )  # of dicts: name, shape, U and V (k rows each, 16 bits), scale and S (k)

    def __init__(self, image: Tensor, W: Tensor, clip_rate: float = 0.9):
        self.matrices = {"photograph": shrunk(image), "weight matrix": W.detach().double()}
        self.factors = {name: SVD.of(matrix) for name, matrix in self.matrices.items()}
        size = sum(svd.U.numel() + svd.Vh.numel() for svd in self.factors.values())
        if size > MOST:
            raise ValueError(
                f"the factors of image and W {tuple(W.shape)} hold {size:,} numbers, but a page"
                f" carries {MOST:,}; take a part, W[:128, :128]"
            )
        super().__init__(
            clip_rate=check_clip_rate(clip_rate),
            parts=[_part(name, svd) for name, svd in self.factors.items()],
        )

    def table(self) -> pd.DataFrame:
        """The same data in numbers, as the page folds them below the widget."""
        columns: dict[str, list[str] | list[int]] = {
            "clip rate ξ": [f"{rate:g}" for rate in CLIP_RATES]
        }
        for name, svd in self.factors.items():
            ranks = [rank_at(len(svd.S), rate) for rate in CLIP_RATES]
            kept = energy(svd.S)[torch.tensor(ranks) - 1].clamp(max=1)
            columns[f"{name}: rank"] = ranks
            columns[f"{name}: error"] = [f"{share:.1%}" for share in (1 - kept).sqrt()]
            columns[f"{name}: energy"] = [f"{share:.2%}" for share in kept]
        return pd.DataFrame(columns)

    def figure(self) -> plt.Figure:
        """The same data as a picture, for print and for pages without a script."""
        rates = (0.5, 0.9, 0.99)
        fig = plt.figure(figsize=(8.4, 4.8), layout="constrained")
        grid = fig.add_gridspec(2, 5)
        for row, (name, svd) in enumerate(self.factors.items()):
            for column, rate in enumerate(rates):
                ax = fig.add_subplot(grid[row, column])
                rank, whole = rank_at(len(svd.S), rate), self.matrices[name]
                limit = 3 * whole.std().item()
                ends = {"vmin": -limit, "vmax": limit} if row else {"vmin": 0, "vmax": 1}
                ax.imshow(svd.truncate(rank).numpy(), cmap="gray", **ends)
                ax.set_title(f"ξ = {rate:g}, rank {rank}", fontsize="small")
                ax.set_axis_off()
        ax = fig.add_subplot(grid[:, 3:])
        looks = (("-", plots.ONE), ("--", plots.TWO))
        for (name, svd), (line, colour) in zip(self.factors.items(), looks):
            k = len(svd.S)
            ax.plot(
                [1 - r / k for r in range(1, k + 1)],
                (1 - energy(svd.S)).clamp(min=0).sqrt(),
                line,
                color=colour,
                label=name,
            )
        ax.set(xlabel="clip rate ξ", ylabel="smallest error possible")
        ax.legend(frameon=False)
        plt.close(fig)
        return fig

    def alt(self) -> str:
        """The picture told in words."""
        now = []
        for name, svd in self.factors.items():
            rank = rank_at(len(svd.S), 0.9)
            error = (1 - energy(svd.S)[rank - 1]).clamp(min=0).sqrt()
            now.append(
                f"At 0.9 the {name} has rank {rank} of {len(svd.S)} and an error of {error:.1%}."
            )
        return (
            "A photograph above and a weight matrix below, rebuilt at clip rates 0.5, 0.9 and 0.99."
            " Beside them the smallest relative error possible at each clip rate. " + " ".join(now)
        )


def shrunk(image: Tensor) -> Tensor:
    """The image with its longer side at most 128 pixels, each the mean of those it stands for."""
    image = torch.as_tensor(image).double()
    factor = min(1, PIXELS / max(image.shape))
    height, width = image.shape
    size = max(1, round(factor * height)), max(1, round(factor * width))
    return torch.nn.functional.adaptive_avg_pool2d(image[None], size)[0]


def _part(name: str, svd: SVD) -> dict:
    """The factors with 16 bits a number: each singular vector is scaled to its largest entry, and
    the scales go to σ.
    """
    most_u, most_v = svd.U.abs().amax(0), svd.Vh.abs().amax(1)
    U, V = (svd.U / most_u).T * 32767, svd.Vh / most_v[:, None] * 32767
    return {
        "name": name,
        "shape": [len(svd.U), svd.Vh.shape[1]],
        "U": packed(U.round(), "int16"),
        "V": packed(V.round(), "int16"),
        "scale": packed(svd.S * most_u * most_v / 32767**2),
        "S": packed(svd.S),
    }
