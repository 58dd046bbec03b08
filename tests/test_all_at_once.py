"""Clips over many matrices at once, and rows sorted into clusters."""

import itertools

import pytest
import torch

from svdicl_lite.clipping.clip import Clip
from svdicl_lite.clipping.clusters import CLUSTERS, clustered, row_clusters
from svdicl_lite.clipping.controls import how_of
from svdicl_lite.clipping.matrices import matrices, n_layers
from svdicl_lite.clipping.svd import SVD
from svdicl_lite.clipping.zero_sum import negative_sum, zero_sum
from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.search.all_at_once import all_at_once
from svdicl_lite.search.without_rate import compare


def changes(seed, *sizes):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(k, generator=generator, dtype=torch.float64) for k in sizes]


# Which components go.


def test_the_smallest_go_and_gains_pay_for_losses():
    dropped = zero_sum([torch.tensor([0.4, -9.0]), torch.tensor([-0.3, 0.2, 7.0])], 3)
    assert [gone.tolist() for gone in dropped] == [[True, False], [True, True, False]]


@pytest.mark.parametrize("seed", range(5))
def test_the_sum_stays_within_the_largest_taken_at_every_step(seed):
    of_matrices = changes(seed, 30, 20)
    for n in range(0, 41):
        dropped = zero_sum(of_matrices, n)
        taken = torch.cat([c[gone] for c, gone in zip(of_matrices, dropped)])
        assert len(taken) == n
        if 0 < n < 30:  # while there are both kinds left
            assert taken.sum().abs() <= taken.abs().max() + 1e-12


def test_of_each_sign_the_smallest_go_first():
    of_matrices = changes(7, 25, 25)
    flat, gone = torch.cat(of_matrices), torch.cat(zero_sum(of_matrices, 20))
    for sign in (1, -1):
        kind = flat * sign > 0
        assert flat[kind & gone].abs().max() <= flat[kind & ~gone].abs().min()


def test_the_most_negative_go_first_and_no_choice_of_as_many_promises_more():
    of_matrices = changes(1, 4, 3)
    for n in range(8):
        taken = sum(c[g].sum() for c, g in zip(of_matrices, negative_sum(of_matrices, n)))
        flat = torch.cat(of_matrices)
        best = min(sum(part) for part in itertools.combinations(flat.tolist(), n)) if n else 0
        assert float(taken) == pytest.approx(best)


@pytest.mark.parametrize("select", [zero_sum, negative_sum])
def test_more_components_than_there_are_or_a_nan_are_refused(select):
    with pytest.raises(ValueError, match="n is 4, but these matrices have 0 to 3"):
        select([torch.zeros(3)], 4)
    with pytest.raises(ValueError, match="NaN or infinite"):
        select([torch.tensor([float("nan")])], 1)


# On a model.


@pytest.fixture
def validation(model, tokenizer, sentiment):
    return ICLEvaluator(model, tokenizer, sentiment, n=24, n_shots=4, seeds=(0, 1))


@pytest.fixture
def everything(model):
    return [found for layer in range(n_layers(model)) for found in matrices(model, layer)]


@pytest.mark.parametrize("whitened", [False, True])
@pytest.mark.filterwarnings("ignore::svdicl_lite.clipping.whitened.SingularInputs")
def test_a_share_of_all_components_goes_and_the_model_comes_back(
    validation, everything, fingerprint, whitened
):
    before = fingerprint(validation.model)
    total = sum(min(matrix.weight.shape) for matrix in everything)
    with all_at_once(validation, everything, 0.25, whitened=whitened, n=24) as kept:
        assert sum(kept) == total - int(0.25 * total)
        assert len(set(kept)) > 1  # and not the same share of each
        assert fingerprint(validation.model) != before
        ranks = [torch.linalg.matrix_rank(m.weight.double(), rtol=1e-6) for m in everything]
        assert all(int(rank) <= k for rank, k in zip(ranks, kept))
    assert fingerprint(validation.model) == before


def test_nothing_goes_at_rate_0_not_even_by_rounding(validation, everything, fingerprint):
    before = fingerprint(validation.model)
    with all_at_once(validation, everything, 0.0, whitened=False, n=24):
        assert fingerprint(validation.model) == before


def loss(outcome):
    told = torch.from_numpy(outcome.scores).double().log_softmax(1)
    return -told[range(outcome.n), outcome.labels].mean().item()


def test_a_few_most_negative_components_lower_the_loss_on_their_own_prompts(validation, everything):
    """Few, so that the first order holds."""
    before = loss(validation())
    with all_at_once(validation, everything, 0.01, "negative-sum", whitened=False, n=24):
        assert loss(validation()) < before


def test_compare_takes_it_as_any_other_change(validation, everything, tokenizer, sentiment):
    test = ICLEvaluator(validation.model, tokenizer, sentiment, "test", 8, 4, (0, 1))
    change = lambda: all_at_once(validation, everything, 0.9, whitened=False, n=24)
    result = compare(validation, test, change)
    assert (result.test_after.scores != result.test_before.scores).any()


def test_an_unknown_selection_is_refused(validation, everything):
    with pytest.raises(ValueError, match="selection is 'largest', but must be one of zero-sum"):
        with all_at_once(validation, everything, 0.1, "largest"):
            pass


# Rows in clusters.


def two_subspaces():
    """Twelve rows on two lines of R⁶, in turn, some of them turned around."""
    rng = torch.Generator().manual_seed(0)
    lines = torch.linalg.qr(torch.randn(6, 2, generator=rng, dtype=torch.float64))[0].T
    lengths = torch.randn(12, 1, generator=rng, dtype=torch.float64)
    return lengths * lines[torch.arange(12) % 2]


def test_rows_of_one_line_come_together_whichever_way_they_point():
    found = row_clusters(two_subspaces(), 2)
    assert len(set(found[0::2].tolist())) == len(set(found[1::2].tolist())) == 1
    assert found[0] != found[1]


def test_two_lines_at_rank_one_are_kept_whole_where_a_truncation_loses_one():
    W = two_subspaces()
    factors = SVD.of(W)
    assert torch.dist(clustered(0)(factors, 1), W) < 1e-9 * W.norm()
    assert torch.dist(factors.truncate(1), W) > 0.2 * W.norm()


@pytest.mark.parametrize("shape", [(20, 8), (8, 20), (3, 5)])
def test_clusters_are_the_matrix_at_full_rank_and_nothing_at_rank_0(shape):
    W = torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    factors, how = SVD.of(W), how_of("row-clusters")
    k = min(shape)
    assert torch.allclose(how(factors, k), W, atol=1e-12) and not how(factors, 0).any()
    errors = [torch.dist(how(factors, rank), W).item() for rank in range(k + 1)]
    assert all(after <= before + 1e-9 for before, after in itertools.pairwise(errors))
    assert torch.linalg.matrix_rank(how(factors, 1)) <= CLUSTERS
    with pytest.raises(ValueError, match="rank is 9"):
        how(SVD.of(torch.eye(8)), 9)


def test_a_zero_row_stays_zero_and_clusters_do_not_depend_on_the_rank():
    W = torch.randn(10, 6, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    W[4] = 0
    assert not clustered(0)(SVD.of(W), 2)[4].abs().max() > 1e-12


def test_a_model_clipped_by_clusters_comes_back_bit_for_bit(model, fingerprint):
    before = fingerprint(model)
    with Clip(model, 1, "mlp", how=how_of("row-clusters")).at(0.5):
        assert fingerprint(model) != before
    assert fingerprint(model) == before
