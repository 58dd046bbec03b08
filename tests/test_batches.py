"""How prompts are cut into batches, and where batches are read."""

import doctest
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from svdicl_lite.scoring import batches, cuts
from svdicl_lite.scoring.batches import Plan, columns_to_read
from svdicl_lite.scoring.cuts import cut_by_length
from svdicl_lite.scoring.prompts import Prompts


@pytest.mark.parametrize("module", [batches, cuts])
def test_examples_in_docstrings_are_true(module):
    failed, tried = doctest.testmod(module)
    assert tried and not failed


def cost(lengths, ends, overhead):
    """Of batches that end at `ends`: positions, and the overhead of each."""
    starts = [0, *ends[:-1]]
    return sum((end - start) * lengths[end - 1] + overhead for start, end in zip(starts, ends))


@given(
    st.lists(st.integers(1, 5), min_size=1, max_size=8).map(sorted),
    st.integers(1, 8),
    st.integers(0, 12),
)
def test_no_other_cuts_cost_less(lengths, batch_size, overhead):
    n = len(lengths)
    found = cut_by_length(lengths, batch_size, overhead)
    assert [i for part in found for i in range(n)[part]] == list(range(n))
    assert all(0 < part.stop - part.start <= batch_size for part in found)
    every = [
        (*inner, n)
        for k in range(n)
        for inner in combinations(range(1, n), k)
        if max(b - a for a, b in zip((0, *inner), (*inner, n))) <= batch_size
    ]
    best = min(cost(lengths, ends, overhead) for ends in every)
    assert cost(lengths, [part.stop for part in found], overhead) == best


def test_ragged_text_costs_a_tenth_more_than_its_tokens():
    """Lengths as of sentences, 10 to 60 tokens, 200 of them; a batch costs as much as 16 tokens,
    more than twice what it costs in a model of 135 million weights.
    """
    lengths = sorted(10 + (37 * i * i + 11 * i) % 51 for i in range(200))
    found = cut_by_length(lengths, 128, overhead=16)
    computed = sum((part.stop - part.start) * lengths[part.stop - 1] for part in found)
    assert computed <= 1.1 * sum(lengths)
    halves = max(lengths[:100]) * 100 + max(lengths[100:]) * 100
    assert halves > 1.2 * sum(lengths)  # as two batches of 100


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4)), min_size=1, max_size=5))
def test_what_is_read_are_the_last_positions_of_each_row(rows):
    lengths, n_read = [n + more - 1 for n, more in rows], [n for n, _ in rows]
    read = columns_to_read(lengths, n_read)
    assert len({len(columns) for columns in read}) == 1
    for columns, length, n in zip(read, lengths, n_read):
        assert columns[:n] == list(range(length))[-n:] and set(columns[n:]) <= {length - 1}


def test_a_plan_shares_what_all_contexts_begin_with_but_no_position_that_is_read():
    words = [[[1], [2]]] * 2
    assert Plan(Prompts([[3, 4, 5], [3, 4, 6]], words, [0, 0]), 8).prefix.tolist() == [[3, 4]]
    # of equal prompts the last token is read, so it cannot be shared
    assert Plan(Prompts([[3, 4], [3, 4]], words, [0, 0]), 8).prefix.tolist() == [[3]]
    # options of one beginning: their own tokens are asked about, the context's last one reads
    options = Prompts([[3, 4]], [[[7, 8], [7, 8, 9]]], [0], of_options=True)
    plan = Plan(options, 8)
    assert plan.prefix.tolist() == [[3]]
    assert [row.tokens for row in plan.rows] == [[4, 7], [4, 7, 8]]
