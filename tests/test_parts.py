"""A model's weights come beside the page in parts: its widget starts before they are here."""

import json
import re
import shutil
import sys

import pytest
from browsers import opened, static_page
from test_chapters import ROOT

from svdicl_lite.models.loading import load_model
from svdicl_lite.widgets import AskClippedModel

sys.path.insert(0, str(ROOT / "book/_ext"))
import parts

STATE = re.compile(r'(<script type="application/vnd.jupyter.widget-state\+json">)(.*?)(</script>)')


def state(**data):
    buffers = [{"path": [name], "encoding": "base64", "data": text} for name, text in data.items()]
    return json.dumps({"state": {"a": {"state": {}, "buffers": buffers}}})


def test_large_data_go_aside_in_parts_that_joined_are_what_they_were(tmp_path):
    large = "abcd" * (parts.LARGE // 4 + 1)
    told = json.loads(parts.set_aside(state(small="abcd", large=large), tmp_path))
    small, aside = told["state"]["a"]["buffers"]
    assert small["data"] == "abcd" and "data" not in aside
    joined = ""
    for file in aside["parts"]:
        called = re.fullmatch(
            r'svdiclPart\("(.*)", "(.*)"\);\n', (tmp_path / "_static" / file).read_text()
        )
        assert called[1] == file and len(called[2]) % 4 == 0
        joined += called[2]
    assert joined == large and len(aside["parts"]) == 2


def test_pages_with_the_same_data_share_their_files(tmp_path):
    large = "abcd" * parts.LARGE
    one, other = (json.loads(parts.set_aside(state(w=large), tmp_path)) for _ in range(2))
    assert one == other
    parts.set_aside(state(w=large.replace("d", "e")), tmp_path)
    files = list((tmp_path / "_static/data").iterdir())
    assert len(files) == 2 * len(one["state"]["a"]["buffers"][0]["parts"])


@pytest.fixture(scope="module")
def widget():
    return AskClippedModel(*load_model("icl-gpt2-noisy"))


@pytest.fixture
def url(widget, tmp_path):
    """A page with the widget, its weights in parts."""
    page = ROOT.joinpath(static_page(widget, tmp_path).removeprefix("file://"))
    (tmp_path / "_static").mkdir()
    shutil.copy(ROOT / "book/assets/widgets.js", tmp_path / "_static/widgets.js")
    html = page.read_text().replace((ROOT / "book/assets").as_uri(), "_static")
    told = parts.set_aside(STATE.search(html)[2].replace("\\u003c", "<"), tmp_path)
    page.write_text(STATE.sub(lambda m: m[1] + told.replace("<", "\\u003c") + m[3], html))
    return page.as_uri()


def shares(page):
    return page.locator(".told td").evaluate_all("all => all.map((td) => td.dataset.share)")


@pytest.fixture
def hindered(browser):
    """A page that is opened with one part of twelve held back, and how to answer for it."""
    held = []
    context = browser.new_context()
    page = context.new_page()
    page.route(re.compile(r"/data/\w+-7\.js"), lambda route: held.append(route))
    yield page, held
    context.close()


def test_the_first_answer_is_there_before_the_model_is_and_is_the_model_s(hindered, url, widget):
    page, held = hindered
    page.goto(url, wait_until="commit")
    page.wait_for_function("document.querySelector('.cut')?.textContent.includes('92')")
    says = page.locator(".cut").inner_text()
    assert "on its way: 92\u00a0% is here" in says and "says to this prompt" in says
    first = [float(share) for share in shares(page)]
    told = widget.probabilities.set_index("clip rate ξ").loc[[0, widget.clip_rate]]
    assert first == pytest.approx(told.T.to_numpy().ravel(), abs=1e-6)
    labels, scores, _ = widget.held  # and so are the fifty
    right = [str((rows.argmax(1) == labels).sum()) for rows in scores]
    assert page.locator(".held [data-of=right]").all_inner_texts()[:2] == right
    page.get_by_label("Clip rate").press("Home")
    assert set(shares(page)) == {None}
    held[0].continue_()
    page.wait_for_function("document.querySelector('.cut').textContent.startsWith('Layer')")
    uncut = [float(share) for share in shares(page)][::2]
    assert uncut == pytest.approx(first[::2], abs=1e-3)  # of the model that has come


def test_a_part_that_does_not_come_leaves_what_stands_in(hindered, url):
    page, held = hindered
    page.goto(url, wait_until="commit")
    page.wait_for_function("document.querySelector('.cut')?.textContent.includes('92')")
    held[0].abort()
    page.wait_for_selector(".widget-stand-in.alone img")
    assert not page.locator(".svdicl").count()


def test_from_a_folder_it_answers_and_nothing_fails(browser, url):
    with opened(browser, url) as page:
        page.wait_for_function("document.querySelector('.cut').textContent.startsWith('Layer')")
        assert page.faults == []
