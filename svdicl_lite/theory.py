"""In-context learning as gradient descent that nobody runs, and a bound on what it can learn: the
theory of Yao et al. 2024, to machine precision.

Linear attention adds to each token what a linear layer would have gained from training on the
prompt (section 3, Lemma 1). Layer upon layer that is a trajectory (Theorem 1), and how much a
trajectory can know of its prompt bounds how far it errs on new tokens more than on those it was
shown (Theorem 2). All of it runs in the dtype it is given; give it float64. Tokens are columns, as
in the paper: H (…, d, T), the demonstrations first. Numbers of equations follow the paper's section
3 and appendix A. Taught in chapters 11 and 12.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd
import torch
from torch import Tensor

from svdicl_lite.clipping.svd import SVD, rank_at


class Layer(NamedTuple):
    """The matrices of one attention layer; what projects its output is part of V. Taught in chapter
    11.
    """

    V: Tensor  # (d, d)
    K: Tensor  # (d_k, d)
    Q: Tensor  # (d_k, d)


class Step(NamedTuple):
    """What Theorem 1 says of one layer. Taught in chapter 11."""

    H: Tensor  # (…, d, N) the demonstrations as the layer reads them
    update: Tensor  # (…, d, d) ΔW_t, which acts on what the layer reads
    gradient: Tensor  # (…, d, d) G_t = ΔW_t (1 + W_{t−1}), which acts on what the first layer read
    W: Tensor  # (…, d, d) W_t = G_1 + … + G_t


def linear_attention(layer: Layer, H: Tensor, n_shots: int) -> Tensor:
    """H + W_V H M (W_K H)ᵀ W_Q H: attention without softmax, with residual, for tokens H (…, d, T).

    M masks all but the first `n_shots` tokens, so the others are queries, which see the
    demonstrations and not each other. (Paper, section 3.) Raises ValueError if there are fewer
    tokens. Taught in chapter 11.
    """
    if not 0 <= n_shots <= H.shape[-1]:
        raise ValueError(
            f"n_shots is {n_shots}, but there are {H.shape[-1]} tokens; it must lie between 0 and"
            " that"
        )
    shown = H[..., :n_shots]  # (…, d, N)
    scores = (layer.K @ shown).mT @ (layer.Q @ H)  # (…, N, T)
    return H + (layer.V @ shown) @ scores


def implicit_update(layer: Layer, H: Tensor) -> Tensor:
    """ΔW_icl = (Σ_i W_V h_i ⊗ W_K h_i) W_Q: (…, d, d), of demonstrations H (…, d, N); its rank is
    at most N.

    A linear layer that starts as the identity and is changed by this update gives a query what
    attention gives it (Lemma 1). Taught in chapter 11.
    """
    return torch.einsum("...an,...bn->...ab", layer.V @ H, layer.K @ H) @ layer.Q


def trajectory(layers: Sequence[Layer], H: Tensor) -> list[Step]:
    """The steps t = 1 … L of Theorem 1 for demonstrations H (…, d, N): a query q leaves layer t as
    q + W_t q.

    The printed sum has G_t in it where it must be G_j, W_t = Σ_{j≤t} G_j; this is the right one.
    Taught in chapter 11.
    """
    steps, one = [], torch.eye(H.shape[-2], dtype=H.dtype)
    W = torch.zeros(*H.shape[:-2], *one.shape, dtype=H.dtype)
    for layer in layers:
        update = implicit_update(layer, H)
        gradient = update @ (one + W)
        W = W + gradient
        steps.append(Step(H, update, gradient, W))
        H = linear_attention(layer, H, H.shape[-1])  # demonstrations attend to each other
    return steps


def prompt(xs: Tensor, ys: Tensor, queries: Tensor, start: Tensor | None = None) -> Tensor:
    """Tokens [x; y], (…, d_x + d_y, N + M), of xs (…, N, d_x), ys (…, N, d_y) and queries (…, M,
    d_x).

    The label slot of a query holds −W₀x, which is 0, the paper's mask, if descent starts at 0.
    Taught in chapter 11.
    """
    if start is None:
        start = torch.zeros(ys.shape[-1], xs.shape[-1], dtype=xs.dtype)
    blank = -queries @ start.mT
    return torch.cat((torch.cat((xs, ys), -1), torch.cat((queries, blank), -1)), -2).mT


def gradient_descent_layer(
    d_x: int, d_y: int, learning_rate: float, n_shots: int, start: Tensor | None = None
) -> Layer:
    """The weights with which linear attention makes one step of gradient descent on the tokens of
    `prompt` (von Oswald et al. 2023, Prop. 1).

    W_K = W_Q = diag(1, 0) compare inputs; the lower rows of W_V are [W₀, −1], the residual of a
    demonstration, times η/N. Labels become what is still to be explained, so the same layer again
    makes the next step; a query's label slot ends as minus the prediction. Taught in chapter 11.
    """
    inputs = torch.diag(torch.cat((torch.ones(d_x), torch.zeros(d_y))).double())  # (d, d)
    V = torch.zeros(d_x + d_y, d_x + d_y, dtype=torch.float64)
    V[d_x:, d_x:] = -torch.eye(d_y)
    if start is not None:
        V[d_x:, :d_x] = start
    return Layer(V * learning_rate / n_shots, inputs, inputs)


def gradient_descent(
    xs: Tensor, ys: Tensor, learning_rate: float, steps: int, start: Tensor | None = None
) -> list[Tensor]:
    """W₀ … W_steps, each (…, d_y, d_x): plain gradient descent on Σ_i ‖W x_i − y_i‖² / 2N, for xs
    (…, N, d_x), ys (…, N, d_y). Taught in chapter 11.
    """
    W = (
        torch.zeros(*xs.shape[:-2], ys.shape[-1], xs.shape[-1], dtype=xs.dtype)
        if start is None
        else start
    )
    path = [W]
    for _ in range(steps):
        residuals = xs @ W.mT - ys  # (…, N, d_y)
        W = W - learning_rate / xs.shape[-2] * residuals.mT @ xs
        path.append(W)
    return path


def softmax_attention(layer: Layer, H: Tensor, n_shots: int) -> Tensor:
    """H + W_V H_s softmax((W_K H_s)ᵀ W_Q H): what `linear_attention` is with softmax; a factor
    1/√d_k would be part of W_Q. Taught in chapter 11.
    """
    shown = H[..., :n_shots]
    return H + (layer.V @ shown) @ ((layer.K @ shown).mT @ (layer.Q @ H)).softmax(-2)


def exponential_features(x: Tensor, degree: int) -> Tensor:
    """φ(x) with φ(k)·φ(q) = Σ_{p ≤ degree} (k·q)^p / p!, which tends to exp(k·q): (F, T) for x
    (d_k, T), F = (d_k + degree choose degree).

    One feature for each monomial: x^α / √α!. (Appendix A.2 leaves φ infinite.) Taught in chapter
    11.
    """
    degrees = range(degree + 1)
    powers = [x**p / math.sqrt(math.factorial(p)) for p in degrees]  # each (d_k, T)
    features = torch.ones(1, x.shape[-1], dtype=x.dtype)
    left = torch.full((1,), degree)  # the degree each feature may still grow by
    for i in range(x.shape[0]):
        features = torch.cat([features[left >= p] * powers[p][i] for p in degrees])
        left = torch.cat([left[left >= p] - p for p in degrees])
    return features


def softmax_update(layer: Layer, H: Tensor, degree: int) -> tuple[Tensor, Tensor]:
    """ΔW = Σ_i W_V h_i ⊗ φ(W_K h_i), (d, F), and z = Σ_i φ(W_K h_i), (F,), for demonstrations H (d,
    N): rank at most N.

    Softmax attention gives a query q, up to the degree of φ, q + ΔW φ(W_Q q) / z·φ(W_Q q) (appendix
    A.2). Taught in chapter 11.
    """
    features = exponential_features(layer.K @ H, degree)  # (F, N)
    return (layer.V @ H) @ features.T, features.sum(-1)


def demonstration_gradients(layer: Layer, H: Tensor, before: Tensor | None = None) -> Tensor:
    """∇ℓ_i, (…, N, d, d): what each demonstration says, so scaled that G_t is their mean: N (W_V
    h_i ⊗ W_K h_i) W_Q (1 + W_{t−1}).

    `before` is W_{t−1} (…, d, d), 0 if it is left out. The paper's C_t needs a mean, its G_t is a
    sum: hence the N. Taught in chapter 12.
    """
    each = H.shape[-1] * torch.einsum("...an,...bn->...nab", layer.V @ H, layer.K @ H) @ layer.Q
    return each if before is None else each + each @ before.unsqueeze(-3)


def noise_covariance(gradients: Tensor, shots: int) -> Tensor:
    """C_t of Assumption 1, (D, D), from gradients (N, …) of D entries each: the covariance of the
    mean of `shots` of them, drawn without replacement.

    (N−b)/(b(N−1)) · (1/N Σ ∇ℓ_i ∇ℓ_iᵀ − G Gᵀ); 0 if all are shown. Raises ValueError unless 1 ≤
    shots ≤ N. Taught in chapter 12.
    """
    centred = (gradients - gradients.mean(0)).flatten(1)  # (N, D)
    return _shrink(len(gradients), shots) / len(gradients) * centred.T @ centred


def noise_spectrum(gradients: Tensor, shots: int) -> Tensor:
    """The largest min(N, D) eigenvalues of C_t, (…, min(N, D)), from gradients (…, N, d, d); the
    others are 0.

    The smaller of the two Gram matrices of the centred gradients (N, D) is enough, so C_t itself,
    with D = d², is not made where it is large. What is 0 up to rounding is 0. Taught in chapter 12.
    """
    centred = (gradients - gradients.mean(-3, keepdim=True)).flatten(-2)  # (…, N, D)
    few, many = sorted(centred.shape[-2:])
    gram = centred @ centred.mT if centred.shape[-2] == few else centred.mT @ centred
    values = torch.linalg.eigvalsh(gram).flip(-1)  # (…, min(N, D))
    exact_zero = values <= many * torch.finfo(values.dtype).eps * values[..., :1]
    return _shrink(centred.shape[-2], shots) / centred.shape[-2] * values.masked_fill(exact_zero, 0)


def bound_terms(layers: Sequence[Layer], H: Tensor, shots: int, ridge: float = 0.0) -> pd.DataFrame:
    """Theorem 2, term by term: a row a layer, each an average over prompts H (B, d, N), of which a
    model sees `shots` demonstrations.

    Columns: `update` ‖ΔW_t‖_F², `path` ‖1 + W_{t−1}‖_F², `gradient` ‖G_t‖_F², `trace` tr C_t,
    `log_det` tr log C_t, and three bounds, in nats, on what step t can know of its prompt.
    `information` = ½ (D log E[(update · path + trace) / D] − E log_det) is the one that is proved,
    D = d². `printed` has the expectation before the logarithm, as the paper has, and is smaller:
    the variance of its prior looks at the prompt. `tight` has `gradient` for the product.

    C_t is singular for every N (chapter 12), and then all three are infinite. `ridge` is a variance
    added to each of its eigenvalues, as if the model added that much noise of its own; it is our
    choice, not the paper's, and the bound depends on it. Taught in chapter 12.
    """
    rows, d = [], H.shape[-2]
    W = torch.zeros(*H.shape[:-2], d, d, dtype=H.dtype)
    one = torch.eye(d, dtype=H.dtype)
    for t, (layer, step) in enumerate(zip(layers, trajectory(layers, H))):
        gradients = demonstration_gradients(layer, step.H, W)
        values = noise_spectrum(gradients, shots) + ridge  # (B, min(N, D))
        hidden = d * d - values.shape[-1]
        trace = values.sum(-1) + hidden * ridge
        log_det = values.log().sum(-1)
        if hidden:
            log_det = log_det + hidden * (math.log(ridge) if ridge else -math.inf)
        update, path, gradient = (
            x.square().sum((-2, -1)) for x in (step.update, one + W, step.gradient)
        )
        columns = ("update", "path", "gradient", "trace", "log_det")
        means = [x.mean().item() for x in (update, path, gradient, trace, log_det)]
        row = {"layer": t, **dict(zip(columns, means))}
        row["information"] = _nats((update * path + trace).mean(), log_det.mean(), d * d)
        row["printed"] = _nats((update * path + trace), log_det, d * d)
        row["tight"] = _nats((gradient + trace).mean(), log_det.mean(), d * d)
        rows.append(row)
        W = step.W
    return pd.DataFrame(rows)


def generalization_bound(information: float, n: int, R: float = 0.5) -> float:
    """√(2 R² I / n): how much larger, on average, the risk on new examples is than on the n that
    were shown, if the model knows I nats of them.

    R is the sub-Gaussian constant of the loss, ½ for one that lies between 0 and 1 (Xu & Raginsky
    2017). Taught in chapter 12.
    """
    return math.sqrt(2 * R**2 * information / n)


def update_bound(layer: Layer, H: Tensor) -> Tensor:
    """UB of Example 1, (…,): Σ_i ‖W_V h_i ⊗ W_K h_i‖_F² · ‖W_Q‖_F², for demonstrations H (…, d, N).

    N times this bounds ‖ΔW_icl‖_F²; this alone does not, since demonstrations that agree add up
    before the square. Taught in chapter 12.
    """
    each = (layer.V @ H).square().sum(-2) * (layer.K @ H).square().sum(-2)  # (…, N)
    return each.sum(-1) * layer.Q.square().sum()


def clipped_layer(layer: Layer, clip_rate: float, roles: str = "vkq") -> Layer:
    """The layer with its matrices of these roles, letters of "vkq", clipped at ξ; another layer,
    the old one stays. Taught in chapter 12.
    """
    cut = {}
    for role in roles.upper():
        if role not in Layer._fields:
            raise ValueError(f"roles is {roles!r}, but may hold only the letters v, k and q")
        if clip_rate:  # at 0 it keeps every bit
            svd = SVD.of(getattr(layer, role))
            cut[role] = svd.truncate(rank_at(len(svd.S), clip_rate))
    return layer._replace(**cut)


def _shrink(n: int, shots: int) -> float:
    """(N − b) / (b (N − 1)): what drawing b of N without replacement leaves of a variance."""
    if not (1 <= shots <= n and n > 1):
        raise ValueError(
            f"shots is {shots}, but must lie between 1 and the {n} demonstrations there are, of"
            " which there must be two or more"
        )
    return (n - shots) / (shots * (n - 1))


def _nats(energy: Tensor, log_det: Tensor, D: int) -> float:
    """½ (D log(energy / D) − log det), averaged: the divergence from a Gaussian to an isotropic one
    of the best variance.
    """
    return 0.5 * (D * (energy / D).log() - log_det).mean().item()
