"""A curve drawn on axes before the measured one is shown, and a guess that is a choice: with the
pointer, from the keyboard, and told to who does not see it.
"""

import sys

import pytest
from browsers import axe_faults
from test_chapters import ROOT
from test_questions import built  # noqa: F401

sys.path.insert(0, str(ROOT / "book/_ext"))
from curves import ticks  # noqa: E402

PAGE = """# A page

:::{curve} drawn
:at: 0 1 2 16
:x: shots
:y: accuracy
:between: 0.4 1
:line: {glue:text}`auc` no clip
:hides: fig-one
How does accuracy change with the number of shots?
:::

:::{guess} which
:choices: attention | the MLP | neither
Which module suffers more?
:::
"""
SEEN = "node => node.checkVisibility()"


@pytest.fixture(scope="module")
def url(built):  # noqa: F811
    page, warnings = built(PAGE, drawn="0: 0.52; 1: 0.87; 2: 0.88; 16: 0.50", which="the MLP")
    assert warnings == ""
    return page.as_uri()


@pytest.fixture
def page(browser, url):
    page = browser.new_page(viewport={"width": 390, "height": 900})
    page.faults = []
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    page.goto(url)
    yield page
    assert page.faults == []
    page.close()


def test_what_is_known_is_a_line_with_its_name(page):
    line, label = (page.locator(f".curve svg {name}.known") for name in ("line", "text"))
    grid = page.locator(".curve svg line.grid[x1='48']")
    heights = [float(grid.nth(i).get_attribute("y1")) for i in range(grid.count())]
    low, high = max(heights), min(heights)  # at 0.4 and at 1
    expected = low + (0.95 - 0.4) / (1 - 0.4) * (high - low)
    assert abs(float(line.get_attribute("y1")) - expected) < 0.2
    assert label.text_content() == "no clip" and not page.locator(".curve .line").is_visible()


def told(page, form="#question-1"):
    return page.locator(f"{form} > [role=status]").inner_text()


def compare(page):
    page.locator("#question-1").get_by_role("button", name="Compare").press("Enter")
    return told(page)


def test_a_curve_is_drawn_from_the_keyboard_and_compared(page):
    figure = page.locator("#fig-one img")
    assert compare(page) == "Move a point first." and figure.evaluate(SEEN) is False
    for place, key, times, says in [
        ("0", "ArrowDown", 10, "0.60"),
        ("1", "End", 1, "1.00"),
        ("2", "ArrowUp", 18, "0.88"),
        ("16", "Home", 1, "0.40"),
    ]:
        slider = page.get_by_role("slider", name=f"accuracy, shots {place}", exact=True)
        slider.focus()
        for _ in range(times):
            page.keyboard.press(key)
        assert slider.get_attribute("aria-valuetext") == says
    assert compare(page).startswith(
        "Off by 0.08 on average. Farthest at shots 1: you said 1.00, it is 0.87."
    )  # .08, .13, 0 and .10
    assert figure.evaluate(SEEN)
    assert page.locator("#question-1 rect.real").count() == 4


def test_a_curve_is_drawn_with_one_sweep_of_the_pointer(page):
    plot = page.locator("#question-1 .axes svg")
    box = plot.bounding_box()
    at = lambda i, y: (  # noqa: E731
        box["x"] + (48 + (i + 0.5) * 302 / 4) / 360 * box["width"],
        box["y"] + (196 - (y - 0.4) / 0.6 * 184) / 240 * box["height"],
    )
    page.mouse.move(*at(0, 0.52))
    page.mouse.down()
    for i, y in enumerate((0.87, 0.88, 0.5), start=1):
        page.mouse.move(*at(i, y))
    page.mouse.up()
    page.mouse.move(*at(2, 0.4))  # after the sweep nothing follows the pointer
    sliders = page.locator("#question-1").get_by_role("slider")
    drawn = [float(sliders.nth(i).input_value()) for i in range(4)]
    assert drawn == pytest.approx([0.52, 0.87, 0.88, 0.5], abs=0.011)
    assert compare(page).startswith("Off by 0.0")


def test_a_guess_can_be_a_choice(page):
    form = "#question-2"
    button = page.locator(form).get_by_role("button", name="Compare")
    button.press("Enter")
    assert told(page, form) == "Choose an answer first."
    for label, says in [
        ("attention", "You said attention; it is the MLP."),
        ("the MLP", "Right."),
    ]:
        page.locator(form).get_by_label(label).check()
        button.press("Enter")
        assert told(page, form) == says


def test_a_screen_reader_is_told_all_and_nothing_overflows(page):
    assert axe_faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.get_by_role("img", name="Axes to draw in: accuracy from 0.4 to 1").is_visible()


def test_without_a_script_there_are_empty_axes_and_the_numbers(browser, url):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(url)
    assert page.locator("#question-1 .axes text").count() == 4 + 4 + 2
    assert "0: 0.52; 1: 0.87" in page.locator("#question-1 .why").inner_text()
    assert page.get_by_label("the MLP").is_visible()
    assert not page.get_by_role("button").count()
    context.close()


def test_a_curve_whose_values_are_for_other_places_is_an_error_in_the_page(browser, built):  # noqa: F811
    made, _ = built(PAGE, drawn="0: 0.52; 4: 0.87; 8: 0.88; 16: 0.50", which="neither")
    page, faults = browser.new_page(), []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(made.as_uri())
    assert len(faults) == 1 and "a curve at 0,1,2,16 was given the values of 0,0.52,4" in faults[0]
    page.close()


@pytest.mark.parametrize(
    "text, says",
    [
        (":::{curve} a\n:at: 0 1\n:x: x\n:y: y\nHow?\n:::", "has no :between:"),
        (":::{curve} a\n:at: 0\n:x: x\n:y: y\n:between: 0 1\nHow?\n:::", "two places"),
        (":::{guess} a\n:choices: one | one\nWhich?\n:::", "two or more, all different"),
    ],
)
def test_what_cannot_be_drawn_or_chosen_is_refused(built, text, says):  # noqa: F811
    assert says in built(f"# A page\n\n{text}\n")[1]


@pytest.mark.parametrize(
    "low, high, texts",
    [
        (0.4, 1, ["0.4", "0.6", "0.8", "1.0"]),
        (-1, 1, ["−1.0", "−0.5", "0.0", "0.5", "1.0"]),
        (0, 30, ["0", "10", "20", "30"]),
    ],
)
def test_ticks_are_round_numbers_with_as_many_digits_each(low, high, texts):
    assert [text for _, text in ticks(low, high)] == texts
