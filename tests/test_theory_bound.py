"""The bound on what a clip leaves: its terms, and what it does not see."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from theory_cases import cases, normal

from svdicl_lite.theory import (
    Layer,
    bound_terms,
    clipped_layer,
    demonstration_gradients,
    generalization_bound,
    implicit_update,
    noise_covariance,
    noise_spectrum,
    trajectory,
    update_bound,
)


def few_layers(d=3, n=3):
    return [Layer(*(normal(d, d, seed=10 * t + i, scale=0.5) for i in range(3))) for t in range(n)]


def test_the_bound_is_infinite_without_a_ridge_and_finite_with_one():
    H = normal(4, 3, 40, scale=0.5)
    assert bound_terms(few_layers(), H, 5)["information"].tolist() == [math.inf] * 3
    assert bound_terms(few_layers(), H, 5, ridge=1e-3)["information"].lt(math.inf).all()


def test_the_terms_are_those_of_explicit_matrices():
    layers, H, ridge = (
        few_layers(),
        normal(6, 3, 5, scale=0.2),
        0.1,
    )  # small tokens: a logdet of ill conditioned matrices would be the less exact side
    terms, one = bound_terms(layers, H, 2, ridge), torch.eye(3, dtype=torch.float64)
    for t, (layer, row) in enumerate(zip(layers, terms.to_dict("records"))):
        told = []
        for prompt_ in H:
            steps = trajectory(layers, prompt_)
            before = steps[t - 1].W if t else torch.zeros(3, 3, dtype=torch.float64)
            C = noise_covariance(
                demonstration_gradients(layer, steps[t].H, before), 2
            ) + ridge * torch.eye(9, dtype=torch.float64)
            told.append(
                [
                    x.item()
                    for x in (
                        steps[t].update.square().sum(),
                        (one + before).square().sum(),
                        steps[t].gradient.square().sum(),
                        C.trace(),
                        C.logdet(),
                    )
                ]
            )
        update, path, gradient, trace, log_det = torch.tensor(told, dtype=torch.float64).T
        assert row["layer"] == t
        for name, value in (
            ("update", update),
            ("path", path),
            ("gradient", gradient),
            ("trace", trace),
            ("log_det", log_det),
        ):
            assert row[name] == pytest.approx(value.mean().item(), rel=1e-9)
        assert row["information"] == pytest.approx(
            0.5 * (9 * math.log((update * path + trace).mean() / 9) - log_det.mean().item()),
            rel=1e-9,
        )
        assert row["printed"] == pytest.approx(
            0.5 * (9 * ((update * path + trace) / 9).log() - log_det).mean().item(), rel=1e-9
        )
        assert row["tight"] == pytest.approx(
            0.5 * (9 * math.log((gradient + trace).mean() / 9) - log_det.mean().item()), rel=1e-9
        )


@given(cases(), st.sampled_from([1e-3, 1.0]))
def test_no_term_is_negative_and_the_proved_bound_is_the_largest(case, ridge):
    layers, H, _ = case
    terms = bound_terms(layers, torch.cat((H, H.flip(0)), -1), 2, ridge)  # two different prompts
    assert (terms["tight"] >= -1e-9).all()
    assert (terms["information"] >= terms["printed"] - 1e-9).all()
    assert (terms["information"] >= terms["tight"] - 1e-9).all()


def test_the_information_of_a_gaussian_step_meets_its_bound_when_both_are_isotropic():
    """A step that says mean + noise has a closed form: I = ½ (log det(S + C) − log det C), S the
    covariance of the mean over prompts.
    """
    spread, noise = (
        torch.diag(torch.tensor([2.0, 0.5, 0.1])).double(),
        torch.diag(torch.tensor([0.3, 0.2, 0.7])).double(),
    )

    def both(S, C):
        exact = 0.5 * (torch.logdet(S + C) - torch.logdet(C)).item()
        return exact, 0.5 * (3 * math.log((S.trace() + C.trace()) / 3) - torch.logdet(C)).item()

    exact, bound = both(spread, noise)
    assert bound > exact + 0.1
    exact, bound = both(2 * torch.eye(3).double(), 0.3 * torch.eye(3).double())
    assert bound == pytest.approx(exact)


def test_a_layer_that_does_nothing_tells_nothing():
    layers = few_layers()
    layers[1] = clipped_layer(layers[1], 1.0)
    terms = bound_terms(layers, normal(4, 3, 8, scale=0.5), 4, ridge=0.01)
    assert terms["information"][1] == pytest.approx(0, abs=1e-12) and terms["information"][0] > 0.01


def test_without_a_ridge_the_bound_on_one_step_does_not_see_the_size_of_the_update():
    """Shrink W_V by s: update and noise both shrink by s², which the logarithms cancel. Only a
    noise that stays can tell.
    """
    layer, H = few_layers()[0], normal(4, 3, 8, scale=0.5)
    gradients = demonstration_gradients(layer, H)
    D, rows = 6, []  # on the 6 directions in which C is not 0
    for s in (1.0, 0.1):
        G, spectrum = s * gradients.mean(1), noise_spectrum(s * gradients, 4)[:, :D]
        rows.append(
            D * ((G.square().sum((1, 2)) + spectrum.sum(1)) / D).log() - spectrum.log().sum(1)
        )
    torch.testing.assert_close(rows[0], rows[1], rtol=0, atol=1e-9)
    ridged = [
        bound_terms([layer._replace(V=s * layer.V)], H, 4, ridge=0.01)["information"][0]
        for s in (1.0, 0.1)
    ]
    assert ridged[1] < ridged[0]


def test_the_bound_is_xu_and_raginskys():
    assert generalization_bound(8.0, 16) == pytest.approx(0.5) and generalization_bound(
        2.0, 4, R=1.0
    ) == pytest.approx(1.0)


@given(cases())
def test_n_times_ub_bounds_the_update(case):
    layers, H, n_shots = case
    shown = H[..., :n_shots]
    assert (
        implicit_update(layers[0], shown).square().sum((-2, -1))
        <= n_shots * update_bound(layers[0], shown) * (1 + 1e-12)
    ).all()


def test_ub_itself_is_no_bound_when_demonstrations_agree():
    layer = Layer(*(torch.eye(2, dtype=torch.float64) / 2**0.25 for _ in range(3)))
    H = torch.tensor([1.0, 0.0], dtype=torch.float64)[:, None].expand(2, 4)
    update, ub = implicit_update(layer, H).square().sum(), update_bound(layer, H)
    assert update > ub


@given(cases(), st.floats(0, 1), st.sampled_from(["v", "q", "k", "vkq"]))
def test_no_clip_raises_ub_and_a_clip_of_v_or_q_never_the_update(case, rate, roles):
    layers, H, n_shots = case
    shown = H[..., :n_shots]
    cut = clipped_layer(layers[0], rate, roles)
    assert (update_bound(cut, shown) <= update_bound(layers[0], shown) * (1 + 1e-9) + 1e-15).all()
    if roles in "vq":
        before, after = (
            implicit_update(layer, shown).square().sum((-2, -1)) for layer in (layers[0], cut)
        )
        assert (after <= before * (1 + 1e-9) + 1e-15).all()


def test_a_clip_of_k_can_raise_the_update():
    K = torch.diag(torch.tensor([1.0, 0.9], dtype=torch.float64))
    layer = Layer(
        torch.tensor([[1.0, 0.0], [0.0, 0.0]], dtype=torch.float64),
        K,
        torch.ones(2, 2, dtype=torch.float64),
    )
    H = torch.tensor(
        [[1.0], [-1.0]], dtype=torch.float64
    )  # what W_K sees along its two directions all but cancels in W_Kᵀ W_Q
    before, after = (
        implicit_update(one, H).norm() for one in (layer, clipped_layer(layer, 0.5, "k"))
    )
    assert after > 5 * before


def test_clipping_leaves_the_layer_and_the_other_roles_alone():
    layer = few_layers()[0]
    V = layer.V.clone()
    cut = clipped_layer(layer, 0.5, "v")
    assert (
        torch.equal(layer.V, V)
        and cut.K is layer.K
        and cut.Q is layer.Q
        and torch.linalg.matrix_rank(cut.V) == 1
    )
    assert all(a is b for a, b in zip(clipped_layer(layer, 0), layer))
    with pytest.raises(ValueError, match="roles is 'vo', but may hold only the letters v, k and q"):
        clipped_layer(layer, 0.5, "vo")
