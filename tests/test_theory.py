import math
from itertools import combinations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from theory_cases import cases, normal

from svdicl_lite.theory import (
    Layer,
    demonstration_gradients,
    exponential_features,
    gradient_descent,
    gradient_descent_layer,
    implicit_update,
    linear_attention,
    noise_covariance,
    noise_spectrum,
    prompt,
    softmax_attention,
    softmax_update,
    trajectory,
)

# float64 rounds at 2.2e-16. What is compared here is scaled to entries of order one, made of sums
# of some hundred products, so errors stay near 1e-14;
# 1e-10 is what the identities are promised to, and leaves a factor of thousands.


def same(found, told):
    """An identity in double precision: to 1e-10 of the largest entry, or of one if that is more."""
    torch.testing.assert_close(found, told, rtol=0, atol=1e-10 * max(1.0, told.abs().max().item()))


@given(cases())
def test_lemma_1_attention_is_a_linear_layer_after_one_update_of_rank_at_most_n_shots(
    case,
):
    layers, H, n_shots = case
    update = implicit_update(layers[0], H[..., :n_shots])
    same(linear_attention(layers[0], H, n_shots), H + update @ H)
    assert (torch.linalg.matrix_rank(update) <= n_shots).all()


def test_attention_is_the_sum_over_demonstrations_that_the_paper_writes():
    layer, H = Layer(normal(3, 3), normal(2, 3, seed=1), normal(2, 3, seed=2)), normal(3, 5, seed=3)
    for q in range(5):
        told = H[:, q] + sum(
            (layer.K @ H[:, i]) @ (layer.Q @ H[:, q]) * (layer.V @ H[:, i]) for i in range(4)
        )
        same(linear_attention(layer, H, 4)[:, q], told)


def test_a_query_moves_nothing_but_itself():
    layer, H = Layer(normal(3, 3), normal(3, 3, seed=1), normal(3, 3, seed=2)), normal(3, 6, seed=3)
    moved = H.clone()
    moved[:, 5] += 1
    same = (linear_attention(layer, H, 4) == linear_attention(layer, moved, 4)).all(0)
    assert same.tolist() == [True] * 5 + [False]


@given(cases())
def test_theorem_1_every_token_leaves_layer_t_as_the_trajectory_says(case):
    layers, H, n_shots = case
    hidden, before = H, torch.zeros_like(trajectory(layers, H[..., :n_shots])[0].W)
    for layer, step in zip(layers, trajectory(layers, H[..., :n_shots]), strict=True):
        same(step.H, hidden[..., :n_shots])
        hidden = linear_attention(layer, hidden, n_shots)
        same(hidden, H + step.W @ H)
        same(step.W, before + step.gradient)
        before = step.W


def test_the_sum_as_printed_with_the_last_gradient_in_every_place_is_wrong():
    layers = [Layer(*(normal(4, 4, seed=3 * t + i, scale=0.3) for i in range(3))) for t in range(3)]
    H = normal(4, 7)
    hidden = H
    for layer in layers:
        hidden = linear_attention(layer, hidden, 6)
    steps = trajectory(layers, H[:, :6])
    assert (hidden - H - sum(step.gradient for step in steps) @ H).abs().max() < 1e-10
    assert (hidden - H - len(steps) * steps[-1].gradient @ H).abs().max() > 1e-2
    assert (
        hidden - H - sum(step.update for step in steps) @ H
    ).abs().max() > 1e-3  # nor will the updates do without (1 + W)


@settings(deadline=None)
@given(
    st.integers(1, 4),
    st.integers(1, 3),
    st.integers(1, 9),
    st.floats(0.01, 0.5),
    st.booleans(),
    st.integers(0, 1000),
)
def test_each_constructed_layer_is_one_step_of_gradient_descent(
    d_x, d_y, n, learning_rate, warm, seed
):
    xs, ys, queries = (
        normal(n, d_x, seed=seed),
        normal(n, d_y, seed=seed + 1),
        normal(2, d_x, seed=seed + 2),
    )
    start = normal(d_y, d_x, seed=seed + 3) if warm else None
    layer, tokens = (
        gradient_descent_layer(d_x, d_y, learning_rate, n, start),
        prompt(xs, ys, queries, start),
    )
    scale = 1.0
    for W in gradient_descent(xs, ys, learning_rate, 4, start)[1:]:
        tokens = linear_attention(layer, tokens, n)
        scale = max(
            scale, W.abs().max().item()
        )  # a step that is too long for the data diverges, in both
        torch.testing.assert_close(-tokens[d_x:, n:], W @ queries.T, rtol=0, atol=1e-10 * scale)
        torch.testing.assert_close(
            tokens[d_x:, :n],
            ys.T - (W - (0 if start is None else start)) @ xs.T,
            rtol=0,
            atol=1e-10 * scale,
        )


def test_gradient_descent_follows_autograds_gradient():
    xs, ys = normal(8, 3), normal(8, 2, seed=1)
    for W, after in zip(path := gradient_descent(xs, ys, 0.2, 3, normal(2, 3, seed=2)), path[1:]):
        W = W.clone().requires_grad_()
        (gradient,) = torch.autograd.grad((xs @ W.T - ys).square().sum() / (2 * 8), W)
        same(after, W.detach() - 0.2 * gradient)


@pytest.mark.parametrize("wrong", [{"n_shots": 1}, {"n_shots": 9}, {"learning_rate": -0.2}])
def test_a_wrong_number_of_shots_or_a_wrong_sign_is_another_step(wrong):
    xs, ys, queries = normal(8, 3), normal(8, 1, seed=1), normal(4, 3, seed=2)
    right = gradient_descent(xs, ys, 0.2, 1)[1] @ queries.T

    def off(**arguments):
        layer = gradient_descent_layer(
            **{"d_x": 3, "d_y": 1, "learning_rate": 0.2, "n_shots": 8, **arguments}
        )
        return (
            -linear_attention(layer, prompt(xs, ys, queries), 8)[3:, 8:] - right
        ).norm() / right.norm()

    assert off() < 1e-12 and off(**wrong) > 0.1  # 9 for 8 is the nearest: a ninth too little


def test_batches_of_prompts_are_the_prompts_one_by_one():
    xs, ys, queries = normal(3, 6, 2), normal(3, 6, 1, seed=1), normal(3, 2, 2, seed=2)
    tokens, path = prompt(xs, ys, queries), gradient_descent(xs, ys, 0.1, 2)
    for i in range(3):
        same(tokens[i], prompt(xs[i], ys[i], queries[i]))
        same(path[2][i], gradient_descent(xs[i], ys[i], 0.1, 2)[2])


def test_features_multiply_to_the_series_of_the_exponential():
    k, q = normal(3, 4, scale=0.6), normal(3, 5, seed=1, scale=0.6)
    for degree in (0, 1, 4):
        told = sum((k.T @ q) ** p / math.factorial(p) for p in range(degree + 1))
        same(exponential_features(k, degree).T @ exponential_features(q, degree), told)
        assert exponential_features(k, degree).shape == (math.comb(3 + degree, degree), 4)


def test_softmax_attention_is_an_update_on_features_of_rank_at_most_the_number_of_demonstrations():
    layer, H, n_shots = (
        Layer(normal(5, 5), normal(2, 5, seed=1, scale=0.5), normal(2, 5, seed=2, scale=0.5)),
        normal(5, 7, seed=3),
        3,
    )
    update, z = softmax_update(layer, H[:, :n_shots], degree := 30)
    features = exponential_features(layer.Q @ H, degree)
    told = H + update @ features / (z @ features)
    same(softmax_attention(layer, H, n_shots), told)
    same(
        told,
        torch.stack(
            [
                H[:, t]
                + layer.V
                @ H[:, :n_shots]
                @ torch.softmax(H[:, :n_shots].T @ layer.K.T @ layer.Q @ H[:, t], 0)
                for t in range(7)
            ],
            1,
        ),
    )
    assert torch.linalg.matrix_rank(update) == n_shots


@given(cases())
def test_the_gradients_of_the_demonstrations_average_to_the_step(case):
    layers, H, n_shots = case
    before = None
    for layer, step in zip(layers, trajectory(layers, H[..., :n_shots])):
        same(demonstration_gradients(layer, step.H, before).mean(-3), step.gradient)
        before = step.W


@pytest.mark.parametrize("shots", [1, 2, 4, 6])
def test_the_noise_covariance_is_that_of_all_ways_to_draw_the_shots(shots):
    gradients = normal(6, 2, 2)
    means = torch.stack(
        [gradients[list(chosen)].mean(0).flatten() for chosen in combinations(range(6), shots)]
    )
    around = means - gradients.mean(0).flatten()
    C = noise_covariance(gradients, shots)
    same(C, around.T @ around / len(means))
    same(torch.linalg.eigvalsh(C).flip(0), noise_spectrum(gradients, shots))  # D = 4 < N = 6


def test_the_spectrum_of_few_gradients_is_that_of_their_wide_covariance():
    gradients = normal(5, 3, 3)
    C = torch.linalg.eigvalsh(noise_covariance(gradients, 2)).flip(0)
    same(C[:5], noise_spectrum(gradients, 2))
    assert (
        noise_spectrum(gradients, 2)[4] == 0 and C[4:].abs().max() < 1e-14
    )  # centred: one direction fewer than there are gradients


def test_the_noise_covariance_of_linear_attention_is_singular_whatever_the_demonstrations():
    layer = Layer(*(normal(4, 4, seed=i) for i in range(3)))
    for n in (10, 200):
        assert torch.linalg.matrix_rank(
            noise_covariance(demonstration_gradients(layer, normal(4, n, seed=5)), 4)
        ) == min(n - 1, 4 * 5 // 2)


@pytest.mark.parametrize("shots", [0, 7])
def test_shots_that_cannot_be_drawn_are_refused(shots):
    with pytest.raises(
        ValueError, match=f"shots is {shots}, but must lie between 1 and the 6 demonstrations"
    ):
        noise_covariance(normal(6, 2, 2), shots)


def test_more_shots_than_tokens_are_refused():
    with pytest.raises(ValueError, match="n_shots is 4, but there are 3 tokens"):
        linear_attention(Layer(normal(2, 2), normal(2, 2), normal(2, 2)), normal(2, 3), 4)
