"""Hours and memory: what a search costs, before it is started."""

import matplotlib.pyplot as plt
import pandas as pd
import traitlets

from svdicl_lite.clipping.matrices import matrices, n_layers
from svdicl_lite.clipping.svd import CLIP_RATES
from svdicl_lite.widgets.base import Widget, script

TOKENS = 25  # of a demonstration or a query, about
DEVICES = (0.03, 0.1, 1.0, 10.0, 100.0, 400.0)  # TFLOP/s that are sustained
QUERIES = (200, 800, 2000, 8000, 20000, 60000)


class HoursAndMemory(Widget):
    """Model, examples, demonstrations, layer, rates and device in; operations, hours and gigabytes
    out, for a search that reads all prompts once and for one that reads them at every rate.

    `models`: name → model, which may be on PyTorch's meta device, without memory. The formulas are
    those of chapter 15, where it is taught.
    """

    _esm = script("hours_memory")
    height = (500, 665)
    models = traitlets.List().tag(sync=True)  # of dicts: `sizes`
    model = traitlets.Unicode().tag(sync=True)
    devices = traitlets.List(list(DEVICES)).tag(sync=True)
    queries = traitlets.List(list(QUERIES)).tag(sync=True)
    device = traitlets.Float(100.0).tag(sync=True)
    n = traitlets.Int(20000).tag(sync=True)
    shots = traitlets.Int(8, min=0, max=32).tag(sync=True)
    tokens = traitlets.Int(TOKENS, min=5, max=200).tag(sync=True)
    n_rates = traitlets.Int(len(CLIP_RATES), min=1, max=16).tag(sync=True)
    # from the top, so that another model has one too
    above = traitlets.Int(1, min=0, max=31).tag(sync=True)

    def __init__(self, models: dict):
        listed = [{"name": name, **sizes(model)} for name, model in models.items()]
        super().__init__(models=listed, model=listed[-1]["name"])

    def costs(self, name: str, **changes) -> dict[str, float]:
        """What the page says of a model: operations, hours and gigabytes; `changes` of traits."""
        s = next(one for one in self.models if one["name"] == name)
        asked = {
            trait: changes.get(trait, getattr(self, trait))
            for trait in ("device", "n", "shots", "tokens", "n_rates", "above")
        }
        shown = asked["shots"] * asked["tokens"]
        above = min(asked["above"], s["L"] - 1)
        ours = search_flops(s, above, asked["n_rates"], asked["n"], shown, asked["tokens"])
        plain = asked["n_rates"] * asked["n"] * forward_flops(s, shown + asked["tokens"])
        second = 1e12 * asked["device"] * 3600
        taken = memory(s, asked["n"], shown, asked["tokens"])
        return {
            "operations": ours,
            "hours": ours / second,
            "hours, every prompt at every rate": plain / second,
            **taken,
            "GB": sum(taken.values()),
        }

    def table(self) -> pd.DataFrame:
        """Hours and gigabytes of every model, as a page begins."""
        rows = []
        for one in self.models:
            costs = self.costs(one["name"])
            rows.append({"model": one["name"], "weights": f"{one['weights'] / 1e9:.2f} billion"})
            rows[-1] |= {
                "it takes": duration(costs["hours"]),
                "every prompt at every rate": duration(costs["hours, every prompt at every rate"]),
                "GB": f"{costs['GB']:.1f}",
            }
        return pd.DataFrame(rows)

    def figure(self) -> plt.Figure:
        """Hours against examples, a line a model."""
        fig, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
        for one, line in zip(self.models, ("-", "--", "-.", ":")):
            hours = [self.costs(one["name"], n=n)["hours"] for n in QUERIES]
            ax.loglog(QUERIES, hours, line, label=one["name"])
        ax.set(xlabel="examples", ylabel=f"hours at {self.device:g} TFLOP/s")
        ax.legend(frameon=False)
        plt.close(fig)
        return fig

    def alt(self) -> str:
        """The picture told in words."""
        told = [
            f"{one['name']} {duration(self.costs(one['name'])['hours'])} and"
            f" {self.costs(one['name'])['GB']:.1f} GB"
            for one in self.models
        ]
        return (
            f"Hours against examples on logarithmic axes, a line for each model. With {self.n:,}"
            f" examples, {self.shots} demonstrations and {self.n_rates} rates: {', '.join(told)}."
        )


def duration(hours: float) -> str:
    """As the page has it: 40 seconds, 3.2 minutes, 5.1 hours, 12 days."""
    units = ((24, "days"), (1, "hours"), (1 / 60, "minutes"), (1 / 3600, "seconds"))
    size, name = next((unit for unit in units if hours >= 1.5 * unit[0]), units[-1])
    value = hours / size
    return f"{value:,.0f} {name}" if value >= 10 else f"{value:.1f} {name}"


def sizes(model) -> dict[str, float]:
    """What the formulas need, read off a model: weights of attention A and MLP M in a block, blocks
    L, vocabulary V, width d, numbers in the factors of the MLP, width of keys.
    """
    config = model.config
    parts = {
        letter: sum(m.weight.numel() for m in matrices(model, 0, module))
        for letter, module in (("A", "attn"), ("M", "mlp"))
    }
    shapes = [m.weight.shape for m in matrices(model, 0, "mlp")]
    heads = config.num_attention_heads
    keys = getattr(config, "num_key_value_heads", None) or heads
    return {
        **parts,
        "L": n_layers(model),
        "V": config.vocab_size,
        "d": config.hidden_size,
        "keys": keys * config.hidden_size // heads,
        "factors": sum(min(shape) * (sum(shape) + 1) for shape in shapes),
        "weights": model.num_parameters(),
    }


def forward_flops(s: dict[str, float], T: int) -> float:
    """Operations of one prompt of T tokens, from end to end."""
    weights = s["L"] * (s["A"] + s["M"]) + s["V"] * s["d"]
    return 2 * T * weights + 4 * s["L"] * s["d"] * T**2


def search_flops(
    s: dict[str, float], above: int, n_rates: int, N: int, T_d: int, T_q: int
) -> float:
    """Operations of a search over N queries behind T_d shared tokens, in the MLP of the layer with
    `above` layers over it: everything below once, and for each rate only what lies above.
    """
    n, layer = T_d + N * T_q, s["L"] - 1 - above
    a = 4 * s["d"] * (N * T_q * (T_d + T_q) + T_d**2)
    once = 2 * n * (layer * (s["A"] + s["M"]) + s["A"]) + (layer + 1) * a
    return once + n_rates * (2 * n * (s["M"] + above * (s["A"] + s["M"])) + above * a)


def memory(s: dict[str, float], N: int, T_d: int, T_q: int) -> dict[str, float]:
    """Gigabytes by what takes them: 16 bits a number, the factors in double precision."""
    return {
        "weights": 2 * s["weights"] / 1e9,
        "keys and values": 2 * 2 * s["L"] * s["keys"] * T_d / 1e9,
        "kept of the queries": 2 * 2 * s["d"] * (T_d + N * T_q) / 1e9,
        "factors": 8 * s["factors"] / 1e9,
    }
