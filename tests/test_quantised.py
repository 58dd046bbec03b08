"""What `benchmarks/quantised.py` compares: rounding of the right size, the model as it was after
it, differences that are 0 where nothing differs.
"""

import importlib.util

import numpy as np
import pytest
import torch
from test_chapters import ROOT

from svdicl_lite.clipping.svd import SVD
from svdicl_lite.models.loading import load_model
from svdicl_lite.scoring.evaluation import Evaluation

_spec = importlib.util.spec_from_file_location("quantised", ROOT / "benchmarks/quantised.py")
quantised = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(quantised)


def evaluation(seed, shift=0.0):
    """Forty answers of two classes behind four sets; `shift` makes them better."""
    rng, labels = np.random.default_rng(seed), np.arange(40) % 2
    scores = rng.standard_normal((40, 2))
    scores[np.arange(40), labels] += shift
    return Evaluation(scores, labels, np.arange(40) // 10)


def judged(shift):
    """Of two layers and every module and rate; without a clip the same for all."""
    found = {}
    for module in quantised.MODULES:
        for layer in (0, 1):
            found[module, 0.0, layer] = evaluation(0)
            for rate in quantised.RATES:
                found[module, rate, layer] = evaluation(1 + layer, shift)
    return found


def test_a_rounding_is_at_most_half_a_step_of_its_block_but_for_the_scales_own_sixteen_bits():
    W = torch.from_numpy(np.random.default_rng(0).standard_normal((6, 64)).astype(np.float32))
    blocks = W.reshape(6, 2, 32)
    step = (blocks.amax(2) - blocks.amin(2)) / 15
    error = (quantised.rounded(W) - W).reshape(6, 2, 32).abs().amax(2)
    assert (error < 0.52 * step).all() and (error > 0.3 * step).all()


def test_rows_that_are_no_whole_number_of_blocks_stay():
    W = torch.ones(4, 33)
    assert quantised.rounded(W) is W


def test_a_model_is_rounded_inside_and_as_it_was_outside():
    model, _ = load_model("icl-gpt2")
    found = quantised.all_matrices(model)
    before = [matrix.weight.clone() for matrix in found]
    with pytest.raises(RuntimeError), quantised.written(model, [0 * W for W in before]):
        assert all((matrix.weight == 0).all() for matrix in found)
        raise RuntimeError
    assert all(torch.equal(matrix.weight, W) for matrix, W in zip(found, before))


def test_what_stands_above_the_noise_is_counted():
    W = torch.diag(torch.tensor([9.0, 5.0, 3.0, 1.0]))
    assert quantised.above_noise(W, 1.0) == 2  # the top is 2 √4
    assert quantised.above_noise(W, 0.0) == 4


def test_where_weights_are_the_same_no_effect_differs_and_where_four_bits_gain_it_shows():
    rows = quantised.effects(judged(0.0), judged(0.0))
    assert len(rows) == len(quantised.MODULES) * len(quantised.RATES) + 1
    assert all(row["accuracy_difference"] == row["discrimination_difference"] == 0 for row in rows)
    last = quantised.effects(judged(0.0), judged(3.0))[-1]
    assert last["cells"] == 20 and last["accuracy_interval"][0] > 0
    assert last["accuracy_four_bits"] - last["accuracy_exact"] == pytest.approx(
        last["accuracy_difference"]
    )


def cut_rows(before, after):
    """The four rows of a cut of which two errors are given."""
    rows = [{"squared_error": error, "score_distance": error} for error in (0, before, after, 1)]
    return {"rows": rows}


@pytest.mark.parametrize(
    "difference, interval, errors, expected",
    [
        (0.001, [-0.01, 0.01], (2, 3), (True, True, True)),
        (0.03, [-0.01, 0.07], (2, 1), (False, False, False)),
        (0.01, [0.005, 0.015], (2, 2), (False, True, True)),
    ],
)
def test_verdicts_are_what_the_figures_say(difference, interval, errors, expected):
    last = {"discrimination_difference": 0.0, "discrimination_interval": [-0.01, 0.01]}
    last |= {"accuracy_difference": difference, "accuracy_interval": interval}
    result = {"effects": [last], "cut": cut_rows(*errors)}
    assert tuple(quantised.verdicts(result).values()) == expected


def test_a_cut_that_is_the_same_on_both_weights_differs_by_nothing():
    before, after = evaluation(0), evaluation(1, 2.0)
    same = quantised._difference_of_cuts(before, before, after, after)
    assert same["accuracy_difference"] == same["discrimination_difference"] == 0
    more = quantised._difference_of_cuts(before, before, after, before)
    assert more["accuracy_difference"] == pytest.approx(after.accuracy - before.accuracy)


def test_cutting_an_exact_matrix_of_low_rank_under_its_rounding_does_denoise():
    """The measure can come out the other way: rank 4 of 128, where all else is rounding, of which a
    few directions stand out since steps differ.
    """
    rng = np.random.default_rng(0)
    exact = torch.from_numpy(rng.standard_normal((128, 4)) @ rng.standard_normal((4, 128)))
    four_bits = quantised.rounded(exact).double()
    rank = quantised.above_noise(four_bits, float((four_bits - exact).std()))
    cut = SVD.of(four_bits).truncate(rank)
    assert 4 <= rank < 16
    # most of it is gone
    assert (cut - exact).square().sum() < 0.5 * (four_bits - exact).square().sum()
