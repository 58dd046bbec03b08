"""One call is what the parts put together by hand say, and its result shows itself."""

import re

import pytest
from bs4 import BeautifulSoup
from IPython.lib.pretty import pretty

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
from svdicl_lite.numbers import p_value, points
from svdicl_lite.search import verdict
from svdicl_lite.search.compared import ComparedScores
from svdicl_lite.search.greedy import GreedyResult
from svdicl_lite.search.kept import KeptClip
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
        "kept of 1 clips tried": greedy_search(model, *judges, ("mlp",), (1,), (0, 0.5)),
    }
    for caption, result in results.items():
        page = BeautifulSoup(result._repr_html_(), "html.parser")
        *_, table = page.find_all("table")
        assert caption in table.caption.text and f"n = {result.test_after.n}" in table.caption.text
        heads = table.thead.find_all("th")
        assert [head["scope"] for head in heads] == ["col"] * 3 and all(h.text for h in heads)
        rows = table.tbody.find_all("tr")
        assert all(row.th["scope"] == "row" and len(row.find_all("td")) == 3 for row in rows)
        assert not re.search(
            r"<(?!/?(table|caption|thead|tbody|tr|th|td|p|strong|small))", str(page)
        )


def test_the_table_has_the_verdict_first_and_says_what_the_text_says(found):
    page = BeautifulSoup(found._repr_html_(), "html.parser")
    first, notes = page.find_all("p")
    assert first.text[1:-1] == verdict.sentence(found)[1:]  # but for the capital and the stop
    cells = {
        row.th.text: [cell.text for cell in row.find_all("td")] for row in page.select("tr")[1:]
    }
    before, after, gain = cells["accuracy"]
    assert f"test accuracy {before} → {after} over 12 sets" in str(found)
    parts = [cells[f"of the gain: {part}"][2] for part in ("reading", "lean")]
    shown = "reading {} + lean {}".format(*parts)
    assert f"gain {gain.split()[0]} points = {shown}" in str(found)
    for name in ("balanced accuracy", "calibrated accuracy", "imbalance"):
        assert f"{name} {' → '.join(cells[name][:2])}" in str(found)
    assert cells["discrimination"][1].startswith(f"{found.test_after.discrimination:.3f} [")
    assert cells["validation accuracy, n = 24"][2] == points(found.validation_gain)
    assert p_value(found.p_value_by_set, "sign-flip p") in notes.text
    assert notes.text.endswith(f"{found.counted}.")


def test_a_result_of_scores_alone_has_no_validation_to_show(found):
    whole, cut = found.test_before, found.test_after
    alone = ComparedScores(whole, cut, whole, cut)
    assert "validation" not in alone._repr_html_() + str(alone)
    assert "judged on test" not in alone._repr_html_()


def test_the_clips_that_a_search_kept_are_a_table_of_their_own(found):
    step = KeptClip(found.chosen_cell, found.validation_after, found.test_after)
    greedy = GreedyResult(
        found.validation_before, step.validation, found.test_before, step.guard, (step,), 3, 1
    )
    kept, judged = BeautifulSoup(greedy._repr_html_(), "html.parser").find_all("table")
    row = [cell.text for cell in kept.tbody.find_all(["th", "td"])]
    assert row[0] == found.done and row[2].startswith(f"{step.guard.accuracy:.3f} [")
    assert "1 clip kept of 3 clips tried, 1 refused by the guard, judged" in judged.caption.text


def test_where_no_html_is_shown_a_result_is_its_text(found):
    assert pretty(found) == repr(found) == str(found)
