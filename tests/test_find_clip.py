"""One call is what the parts put together by hand say, and its result shows itself."""

import re

import pytest
from bs4 import BeautifulSoup

from svdicl_lite import (
    CLIP_RATES,
    ICLEvaluator,
    compare,
    find_clip,
    greedy_search,
    load_model,
    load_task,
    search_clip_rate,
)
from svdicl_lite.clipping.controls import dropped
from svdicl_lite.search.results import SearchResult

FEW = {"n_validation": 24, "n_test": 32, "n_shots": 2, "clip_rates": (0, 0.5, 0.95)}


@pytest.fixture(scope="module")
def found():
    return find_clip("icl-gpt2-noisy", "sentiment", labels="flipped", **FEW)


def test_by_names_it_is_what_the_parts_say(found):
    model, tokenizer = load_model("icl-gpt2-noisy")
    task = load_task("sentiment", "flipped")
    judges = [
        ICLEvaluator(model, tokenizer, task, split, n, n_shots=2, seeds=range(12))
        for split, n in (("validation", 24), ("test", 32))
    ]
    by_hand = search_clip_rate(model, *judges, module="mlp", clip_rates=(0, 0.5, 0.95))
    assert isinstance(found, SearchResult) and found.chosen_cell == by_hand.chosen_cell
    assert str(found) == str(by_hand) and len(found.gain_by_set) == 12


def test_objects_serve_as_names_do(found):
    model, tokenizer = load_model("icl-gpt2-noisy")
    for task, labels in (
        ("sentiment", "flipped"),
        (load_task("sentiment"), "flipped"),
        (load_task("sentiment", "flipped"), None),
    ):
        again = find_clip(model, task, labels, tokenizer=tokenizer, **FEW)
        assert str(again) == str(found)


def test_what_is_tried_can_be_said(tiny):
    result = find_clip(
        tiny, "topic", module="attn", layer=0, method="smallest", n_sets=2, seed=3, **FEW
    )
    assert (result.layer, result.module, result.chosen_cell.method) == (0, "attn", "smallest")
    assert result.clip_rates == (0, 0.5, 0.95) and len(result.gain_by_set) == 2
    assert (result.validation_after.n, result.test_after.n) == (24, 32)


def test_left_to_itself_it_takes_the_papers_rates_twelve_sets_and_no_more_than_there_is(
    model, tokenizer, sentiment
):
    from dataclasses import replace

    few = {
        split: rows.select(range(min(60, len(rows)))) for split, rows in sentiment.splits.items()
    }
    result = find_clip(model, replace(sentiment, splits=few), tokenizer=tokenizer)
    assert (result.validation_after.n, result.test_after.n) == (60, 60)
    assert result.clip_rates == CLIP_RATES and len(result.gain_by_set) == 12
    with pytest.raises(ValueError, match="n is 61, but must be between 12"):
        find_clip(model, replace(sentiment, splits=few), tokenizer=tokenizer, n_test=61)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"model": "no/such/folder"}, "no/such/folder"),
        ({"task": "sst3"}, "there is no task 'sst3'"),
        ({"labels": "upside-down"}, "label_setting is 'upside-down'"),
        ({"n_sets": 0}, "sets is 0, but must be 1 or more"),
        ({"method": "pruning"}, "method is 'pruning', but must be one of svd"),
        ({"module": "ffn"}, "module is 'ffn', but must be one of"),
        ({"device": "abacus"}, "device is 'abacus', which cannot be used here"),
        ({"tokenizer": "mine"}, "has a tokenizer of its own"),
    ],
)
def test_what_cannot_be_is_said_as_everywhere(tiny, monkeypatch, arguments, message):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises((ValueError, OSError), match=message):
        find_clip(**{"model": tiny, "task": "sentiment", **FEW, **arguments})


def test_a_model_without_its_tokenizer_is_refused(model):
    with pytest.raises(ValueError, match="a GPT2LMHeadModel came without its tokenizer; say tok"):
        find_clip(model, "sentiment")


def test_in_a_notebook_a_result_is_a_table_that_can_be_heard(found, model, tokenizer, sentiment):
    judges = [
        ICLEvaluator(model, tokenizer, sentiment, split, n=8, n_shots=0, seeds=(0,))
        for split in ("validation", "test")
    ]
    results = {
        "mlp of layer": found,
        "before and after": compare(*judges, lambda: dropped(model, 1)),
        "clips tried": greedy_search(model, *judges, ("mlp",), (1,), (0, 0.5)),
    }
    for caption, result in results.items():
        page = BeautifulSoup(result._repr_html_(), "html.parser")
        assert caption in page.table.caption.text
        heads = page.thead.find_all("th")
        assert all(head["scope"] == "col" and head.text for head in heads)
        rows = page.tbody.find_all("tr")
        assert [row.th.text for row in rows] == ["validation", "test"]
        assert all(row.th["scope"] == "row" for row in rows)
        assert all(len(row.find_all(["th", "td"])) == len(heads) for row in rows)
        assert f"{result.test_after.accuracy:.3f}" in rows[1].text
        said = "\n".join(page.p.stripped_strings)
        assert said == result.verdict()
        assert not re.search(r"<(?!/?(table|caption|thead|tbody|tr|th|td|p|br))", str(page))
