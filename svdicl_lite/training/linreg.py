"""In-context linear regression: a GPT-2 that is shown pairs of x and y = wᵀx, never w, and predicts
the next y.

After Garg et al., "What Can Transformers Learn In-Context?" (NeurIPS 2022, arXiv 2208.01066), as
the paper's Figure 5 uses it: w and x are standard normal, examples stand one after the other as x₁
y₁ x₂ y₂ …, one linear map reads vectors in, another reads predictions out, and a curriculum lets
dimensions and length grow. Theirs has d = 20 and 12 layers; this one is small enough for two cores,
and ships at four stages of its training. `python -m svdicl_lite.training linreg-gpt2` trains it.
Taught in chapter 13.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import GPT2Model

from svdicl_lite.models import loading
from svdicl_lite.training import loop

NAME = "linreg-gpt2"
CURVE_N = 512  # prompts behind each row of the training curve
# of the prompts on which it is judged; training draws from the recipe's seed
SEEDS = (100, 101, 102, 103)


@dataclass(frozen=True)
class LinregRecipe:
    """What makes the shipped model at all its stages."""

    dims: int = 5
    points: int = 12  # pairs in a prompt: the last is predicted after 11 examples
    layers: int = 4
    width: int = 64
    heads: int = 4
    batch: int = 64
    learning_rate: float = 1e-3
    cool_down: float = 0.3
    # steps after which weights are kept; the last one ends training
    stages: tuple[int, ...] = (400, 1200, 3200, 8000)
    # steps after which a prompt gets one more dimension and two more pairs, until it has all
    grow_every: int = 200
    seed: int = 0
    threads: int = 1

    @property
    def steps(self) -> int:
        """Of the whole training."""
        return self.stages[-1]


RECIPE = LinregRecipe()


class Regressor(nn.Module):
    """A GPT-2 between a linear map that reads numbers in and one that reads predictions out."""

    def __init__(self, recipe: LinregRecipe = RECIPE):
        super().__init__()
        self.transformer = GPT2Model(
            loop.config(recipe.layers, recipe.width, recipe.heads, 2 * recipe.points)
        )
        loop.sinusoids_(self.transformer)
        self.read_in = nn.Linear(recipe.dims, recipe.width)
        self.read_out = nn.Linear(recipe.width, 1)

    def forward(self, xs: Tensor, ys: Tensor) -> Tensor:
        """Predictions (B, N) of ys (B, N) from xs (B, N, d): number i is made of x_i and the i
        pairs before it.
        """
        ys = nn.functional.pad(ys[..., None], (0, xs.shape[-1] - 1))  # (B, N, d): y, then zeros
        tokens = torch.stack((xs, ys), dim=2).flatten(1, 2)  # (B, 2N, d): x₁ y₁ x₂ y₂ …
        hidden = self.transformer(inputs_embeds=self.read_in(tokens)).last_hidden_state
        return self.read_out(hidden[:, ::2]).squeeze(-1)  # of (B, 2N, width) the places of x


def draw(
    n: int,
    generator: torch.Generator,
    dims: int = RECIPE.dims,
    points: int = RECIPE.points,
    wide: int = RECIPE.dims,
) -> tuple[Tensor, Tensor]:
    """`n` prompts, each with its own w: xs (n, points, wide), of which the coordinates beyond
    `dims` are 0, and ys (n, points).
    """
    xs = torch.randn(n, points, wide, generator=generator)
    w = torch.randn(n, wide, 1, generator=generator)
    xs[..., dims:] = 0
    return xs, (xs @ w).squeeze(-1)


def least_squares(xs: Tensor, ys: Tensor) -> Tensor:
    """(n, N): each y predicted by the shortest w that fits the pairs before it. With y = wᵀx, w
    normal and no noise, nothing does better.
    """
    guesses = [torch.zeros(len(ys))]
    for k in range(1, ys.shape[1]):
        w = torch.linalg.pinv(xs[:, :k].double()) @ ys[:, :k, None].double()  # (n, d, 1)
        guesses.append((xs[:, k].double() * w.squeeze(-1)).sum(-1).float())
    return torch.stack(guesses, 1)


def averaging(xs: Tensor, ys: Tensor) -> Tensor:
    """(n, N): each y predicted with w = mean of yᵢ xᵢ over the pairs before it, which is what one
    gradient step from 0 gives.
    """
    sums = (ys[..., None] * xs).cumsum(1)[:, :-1]  # (n, N − 1, d)
    w = sums / torch.arange(1, ys.shape[1])[:, None]
    return nn.functional.pad((xs[:, 1:] * w).sum(-1), (1, 0))


@torch.no_grad()
def squared_errors(
    predict: Callable[[Tensor, Tensor], Tensor],
    n: int = 2048,
    seeds: tuple[int, ...] = SEEDS,
    recipe: LinregRecipe = RECIPE,
) -> Tensor:
    """(n, N): normalised squared errors (ŷ − y)²/d after 0, 1, … N − 1 examples, on `n` prompts
    dealt out to the seeds.

    `predict(xs, ys)` is a `Regressor`, clipped or not, `least_squares` or `averaging`. A model that
    always says 0 gets 1 on average.
    """
    if n % len(seeds):
        raise ValueError(f"n is {n}, but must be a multiple of {len(seeds)}, the number of seeds")
    rows = []
    for seed in seeds:
        xs, ys = draw(
            n // len(seeds),
            torch.Generator().manual_seed(seed),
            recipe.dims,
            recipe.points,
            recipe.dims,
        )
        rows.append((predict(xs, ys) - ys).square() / xs.shape[-1])
    return torch.cat(rows)


def curve(errors: Tensor) -> list[dict]:
    """For each number of examples the mean of errors (n, N), n, and its 95 % interval, mean ± 1.96
    standard errors.
    """
    half = 1.96 * errors.std(0) / math.sqrt(len(errors))
    return [
        {
            "examples": k,
            "n": len(errors),
            "error": round(mean, 5),
            "low": round(mean - h, 5),
            "high": round(mean + h, 5),
        }
        for k, (mean, h) in enumerate(zip(errors.mean(0).tolist(), half.tolist()))
    ]


def load(stage: int = len(RECIPE.stages)) -> Regressor:
    """The shipped model at a stage of its training, 1 (hardly begun) to 4 (done); in evaluation
    mode.

    Raises ValueError for another stage and for a checkpoint that is damaged or missing.
    """
    if stage not in range(1, len(RECIPE.stages) + 1):
        raise ValueError(f"stage is {stage!r}, but must be one of 1 to {len(RECIPE.stages)}")
    return loop.restore(Regressor(), loading.CHECKPOINTS / NAME / f"stage-{stage}.safetensors")


def train(recipe: LinregRecipe = RECIPE) -> tuple[list[dict[str, Tensor]], dict]:
    """The weights at each stage, and what the card says of the training; on a GPU if there is
    one.
    """
    torch.manual_seed(recipe.seed)
    device, generator = loop.device(), torch.Generator().manual_seed(recipe.seed)
    model = Regressor(recipe).to(device)
    stages: list[dict[str, Tensor]] = []

    def loss(step: int) -> tuple[Tensor, Tensor]:
        dims = min(recipe.dims, 2 + step // recipe.grow_every)
        points = min(recipe.points, 6 + 2 * (step // recipe.grow_every))
        xs, ys = draw(recipe.batch, generator, dims, points, recipe.dims)
        xs, ys = xs.to(device), ys.to(device)
        value = (model(xs, ys) - ys).square().mean() / dims
        return value, value

    def predict(xs: Tensor, ys: Tensor) -> Tensor:
        return model(xs.to(device), ys.to(device)).cpu()

    def probe() -> dict[str, float]:
        errors = squared_errors(predict, CURVE_N, seeds=(1, 2), recipe=recipe).mean(0)
        behind = [k for k in (2, 5, 8, 11) if k < recipe.points]
        return {f"error behind {k}": round(errors[k].item(), 4) for k in behind}

    def keep(step: int) -> None:
        if step in recipe.stages:
            weights = model.state_dict().items()
            stages.append({name: weight.cpu().clone() for name, weight in weights})

    stage = loop.Stage(loss, loop.rates([recipe]))
    made = loop.fit(model, [stage], probe, every=500, keep=keep)
    return stages, made


def make() -> None:
    """Trains the model and writes its stages and its card beside the shipped ones."""
    torch.set_num_threads(RECIPE.threads)
    (stages, made), folder = train(), loading.CHECKPOINTS / NAME
    folder.mkdir(parents=True, exist_ok=True)
    for i, weights in enumerate(stages, start=1):
        save_file(weights, folder / f"stage-{i}.safetensors")
    load().transformer.config.save_pretrained(folder)
    test = {f"stage {i}": curve(squared_errors(load(i))) for i in range(1, len(stages) + 1)}
    for baseline in (least_squares, averaging):
        test[baseline.__name__] = curve(squared_errors(baseline))
    parameters = sum(weight.numel() for weight in stages[-1].values())
    loop.write_card(folder, parameters, RECIPE, made, curve_n=CURVE_N, test_seeds=SEEDS, test=test)
