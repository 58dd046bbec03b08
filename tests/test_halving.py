"""Successive halving: what it spends, whom it keeps, how often it chooses as the full search."""

import numpy as np
import pytest

from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.search.cells import Cell, judged
from svdicl_lite.search.halving import cuts, halve, halved_search, part_of


def of_table(correct):
    """A judge that reads a table (candidates, prompts), and what it was asked."""
    asked = []

    def judge(racing, start, end):
        asked.append((tuple(racing), start, end))
        return [correct[i, start:end] for i in racing]

    return judge, asked


def drawn(accuracies, n, seed=0):
    rng = np.random.default_rng(seed)
    return rng.random((len(accuracies), n)) < np.array(accuracies)[:, None]


def test_eight_candidates_are_halved_twice_and_cost_half_of_the_full_search():
    judge, asked = of_table(drawn([0.5, 0.6, 0.9, 0.1, 0.1, 0.1, 0.1, 0.1], 400))
    found = halve(judge, 8, 400)
    assert [(len(racing), start, end) for racing, start, end in asked] == [
        (8, 0, 100),
        (4, 100, 200),
        (2, 200, 400),
    ]
    assert found.chosen == 2 and found.cost == 800 + 400 + 400 == 8 * 400 // 2


def test_no_prompt_is_judged_twice_and_no_clip_stays_to_the_end():
    judge, asked = of_table(drawn([0.1, *np.linspace(0.2, 0.9, 7)], 64))
    found = halve(judge, 8, 64)
    assert all(racing[0] == 0 for racing, _, _ in asked)
    assert [end for _, _, end in asked][:-1] == [start for _, start, _ in asked][1:]
    assert found.n_seen[0] == 64 and found.chosen == 7


def test_no_clip_wins_a_tie_and_the_earlier_of_equal_clips_stays():
    judge, asked = of_table(np.ones((8, 64), dtype=bool))
    assert halve(judge, 8, 64).chosen == 0
    assert asked[1][0] == (0, 1, 2, 3) and asked[2][0] == (0, 1)


@pytest.mark.parametrize("n_candidates", range(1, 12))
def test_every_race_ends_with_all_prompts_and_at_most_two(n_candidates):
    judge, asked = of_table(drawn([0.5] * n_candidates, 100))
    halve(judge, n_candidates, 100)
    assert cuts(n_candidates, 100)[-1] == asked[-1][2] == 100
    assert len(asked[-1][0]) <= 2


def test_where_candidates_differ_clearly_two_hundred_searches_choose_as_the_full_one():
    same = 0
    for seed in range(200):
        correct = drawn([0.5, 0.5, 0.55, 0.6, 0.65, 0.7, 0.95, 0.6], 400, seed)
        full = int(correct.sum(1).argmax())  # argmax: the first of equals
        same += halve(of_table(correct)[0], 8, 400).chosen == full
    assert same == 200


def test_where_candidates_are_alike_halving_often_chooses_another():
    same = 0
    for seed in range(200):
        correct = drawn([0.7] * 8, 400, seed)
        same += halve(of_table(correct)[0], 8, 400).chosen == int(correct.sum(1).argmax())
    assert 60 < same < 180


def test_no_candidates_or_no_prompts_are_refused():
    with pytest.raises(
        ValueError, match="a race needs candidates and prompts, but there are 0 and"
    ):
        halve(of_table(np.ones((1, 4)))[0], 0, 4)


@pytest.fixture
def validation(model, tokenizer, sentiment):
    return ICLEvaluator(model, tokenizer, sentiment, n=24, n_shots=2, seeds=(0, 1, 2))


def test_parts_of_an_evaluator_make_up_the_whole(validation):
    whole = validation()
    parts = [part_of(validation, start, end) for start, end in ((0, 6), (6, 12), (12, 24))]
    assert [len(part.demonstration_sets) for part in parts] == [6, 6, 12]
    assert [len(part.groups) for part in parts] == [3, 3, 3]
    right = sum(part().correct.sum() for part in parts)
    assert right == whole.correct.sum()
    assert len({validation.digest, *(part.digest for part in parts)}) == 4


def test_a_race_on_a_model_gives_the_accuracies_of_the_full_search(validation, fingerprint):
    cells = [Cell(2, "mlp", rate) for rate in (0.0, 0.5, 0.9, 1.0)]
    before = fingerprint(validation.model)
    found = halved_search(validation, cells)
    assert fingerprint(validation.model) == before
    full = dict(judged(validation, cells))
    for i, cell in enumerate(cells):
        if found.n_seen[i] == 24:
            assert found.right[i] == full[cell].correct.sum()
    assert found.n_seen[0] == 24 and found.cost < 4 * 24
    with pytest.raises(ValueError, match="must be no clip"):
        halved_search(validation, cells[1:])
