"""Tables of numbers with classes: random ones to learn from, and real ones that come with
scikit-learn.

The generators follow the plan of prior-fitted networks (Müller et al. 2022, arXiv 2112.10510;
Hollmann et al. 2023, arXiv 2207.01848): what a model should be ready for is put into what it is
trained on. Taught in chapter 14.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

COLUMNS, CLASSES = 16, 10  # at most; a wider table is projected
SETS = ("iris", "wine", "breast_cancer", "digits")
SEEDS = (0, 1, 2, 3)  # of the demonstrations


def draw_tables(
    batch: int, shots: tuple[int, int], queries: int, label_noise: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """`batch` tables of one shape, of K demonstrations, shots[0] to shots[1], and Q queries: rows
    (B, K + Q, 16) and labels (B, K + Q).

    Half of the calls draw Gaussian clusters, some to a class; the others draw correlated columns
    and label them by a random network or by a random tree. Then columns are bent, some labels are
    replaced, and class names are dealt out anew.
    """
    kind, n_shots = (
        int(torch.randint(low, high, (), generator=generator))
        for low, high in ((0, 4), (shots[0], shots[1] + 1))
    )
    columns, classes = (
        2 + int((most - 1) * torch.rand((), generator=generator) ** 2)
        for most in (COLUMNS, CLASSES)
    )  # few oftener than many
    size = (batch, n_shots + queries)
    normal = lambda *shape: torch.randn(*shape, generator=generator)  # noqa: E731
    uniform = lambda *shape: torch.rand(*shape, generator=generator)  # noqa: E731
    if kind < 2:
        rows, labels = _clusters(size, columns, classes, normal, uniform)
    else:
        rows = normal(*size, columns) @ normal(batch, columns, columns) / columns**0.5
        rows, labels = (_network if kind == 2 else _tree)(rows, classes, normal, uniform)
    bend = torch.exp(0.5 * normal(batch, 1, columns))
    rows = rows.sign() * rows.abs() ** bend
    noisy = uniform(*size) < label_noise * 2 * uniform(batch, 1)
    labels = torch.where(noisy, torch.randint(classes, size, generator=generator), labels)
    names = uniform(batch, CLASSES).argsort(1)  # a class has another name in every table
    return fit_columns(rows, n_shots), names.gather(1, labels)


def _clusters(size, columns, classes, normal, uniform):
    """Each class is one to three Gaussian clouds, more or less far apart, of one shape."""
    batch, n = size
    clouds = 1 + int(3 * uniform(()) ** 2)
    labels = (uniform(batch, n) * classes).long()
    cloud = labels * clouds + (uniform(batch, n) * clouds).long()
    centres = normal(batch, classes * clouds, columns) * (0.3 + 1.5 * uniform(batch, 1, 1))
    shape = normal(batch, columns, columns) / columns**0.5
    spread = torch.exp(0.4 * normal(batch, 1, columns))
    around = spread * (normal(batch, n, columns) @ shape + normal(batch, n, columns)) / 2**0.5
    return centres.gather(1, cloud[..., None].expand(-1, -1, columns)) + around, labels


def _network(rows, classes, normal, uniform):
    """The class is the largest output of a random network with one hidden layer, or of a random
    linear map.
    """
    batch, _, columns = rows.shape
    hidden = rows
    if uniform(()) < 0.5:
        hidden = torch.tanh(
            rows @ normal(batch, columns, 16) * 1.5 / columns**0.5 + normal(batch, 1, 16)
        )
    scores = hidden @ normal(batch, hidden.shape[-1], classes)
    return rows, (scores / scores.std(1, keepdim=True)).argmax(-1)


def _tree(rows, classes, normal, uniform):
    """The class is that of the leaf in a random tree of depth 2 to 4, which asks one column a
    level.
    """
    batch, n, columns = rows.shape
    depth = 2 + int(3 * uniform(()))
    asked = (uniform(batch, 1, depth) * columns).long().expand(-1, n, -1)
    answers = rows.gather(2, asked) > 0.5 * normal(batch, 1, depth) * rows.std(
        1, keepdim=True
    ).gather(2, asked[:, :1])
    leaf = (answers * 2 ** torch.arange(depth)).sum(-1)
    return rows, (uniform(batch, 2**depth) * classes).long().gather(1, leaf)


def fit_columns(rows: Tensor, shots: int) -> Tensor:
    """Rows (B, N, 16) for the input head, from rows (B, N, c ≤ 16), judged by the first `shots`
    alone.

    Each column is centred and scaled by its mean and deviation over the demonstrations, cut at ±5,
    scaled so that the length of a row does not depend on c, and filled up with zeros.
    """
    mean, std = rows[:, :shots].mean(1, keepdim=True), rows[:, :shots].std(1, keepdim=True)
    rows = ((rows - mean) / (std + 1e-6)).clamp(-5, 5) * (COLUMNS / rows.shape[-1]) ** 0.5
    return nn.functional.pad(rows, (0, COLUMNS - rows.shape[-1]))


def real(name: str) -> tuple[np.ndarray, np.ndarray]:
    """(N, c) numbers and (N,) classes of one of the sets that come with scikit-learn.

    Raises ValueError for another name, ImportError without scikit-learn.
    """
    if name not in SETS:
        raise ValueError(f"there is no table {name!r}; there are {', '.join(SETS)}")
    try:
        from sklearn import datasets
    except ImportError as error:
        raise ImportError(
            "the real tables come with scikit-learn, which is not installed; pip install"
            " scikit-learn"
        ) from error
    return getattr(datasets, f"load_{name}")(return_X_y=True)


@dataclass(frozen=True)
class Prompt:
    """Demonstrations and queries of one seed, ready for any classifier."""

    shots: np.ndarray  # (K, 16)
    shot_labels: np.ndarray  # (K,)
    queries: np.ndarray  # (Q, 16)
    labels: np.ndarray  # (Q,)


def prompts(
    name: str, split: str = "test", n_shots: int = 40, seeds: tuple[int, ...] = SEEDS
) -> list[Prompt]:
    """One prompt a seed. Two fifths of a table, the same ones always, are for development; the
    rest, "test", are for judging.

    Demonstrations come from the development rows, as evenly over the classes as can be, drawn by
    the seed. "validation" asks for the other development rows, each after every seed's
    demonstrations; "test" deals the test rows out to the seeds, so that none is asked twice. A
    table with more columns than the head takes is projected on the leading principal components of
    the demonstrations.
    """
    if split not in ("validation", "test"):
        raise ValueError(f"split is {split!r}, but must be validation or test")
    X, y = real(name)
    order = np.random.default_rng(0).permutation(len(y))
    development, test = np.split(order, [2 * len(y) // 5])
    n_classes, n_rows = len(np.unique(y)), len(development)
    if not n_classes <= n_shots < n_rows:
        raise ValueError(
            f"n_shots is {n_shots}, but {name} needs at least {n_classes}, one a class, and has"
            f" {n_rows} rows to draw from"
        )
    made = []
    for i, seed in enumerate(seeds):
        shuffled = np.random.default_rng(seed).permutation(development)
        rank = np.empty(len(shuffled), dtype=int)  # how many of its class stand before a row
        for label in np.unique(y):
            of_class = y[shuffled] == label
            rank[of_class] = np.arange(of_class.sum())
        chosen = np.sort(np.lexsort((np.arange(len(rank)), rank))[:n_shots])
        shots = shuffled[chosen]
        queries = np.delete(shuffled, chosen) if split == "validation" else test[i :: len(seeds)]
        rows = X[np.concatenate((shots, queries))]
        rows = rows[:, X[shots].std(0) > 0]  # a column that says nothing
        if rows.shape[1] > COLUMNS:
            centre, spread = rows[:n_shots].mean(0), rows[:n_shots].std(0)
            rows = (rows - centre) / spread
            rows = rows @ np.linalg.svd(rows[:n_shots], full_matrices=False)[2][:COLUMNS].T
        fitted = fit_columns(torch.from_numpy(rows[None]).float(), n_shots)[0].numpy()
        made.append(Prompt(fitted[:n_shots], y[shots], fitted[n_shots:], y[queries]))
    return made
