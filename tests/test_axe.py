"""That axe-core is asked enough: each fault is planted in one theme alone, and found in it."""

import pytest
from browsers import axe_faults

BODY = """<main><h1>A page</h1><p>Some words, <a href="#x">a link</a>, and more words.</p>
<p id="x">Other words. <img id="picture" src="data:,"> <button>Go</button></p></main>"""
FAULTS = {
    "color-contrast": "p { color: #444 }",
    "link-in-text-block": "a { color: #ddd; text-decoration: none }",
    "image-alt": "#picture { display: inline !important }",
    "scrollable-region-focusable": "#x { height: 2em; width: 9em; overflow-y: scroll }",
}


@pytest.fixture
def page(browser):
    page = browser.new_page(color_scheme="light")
    yield page
    page.close()


def show(page, dark):
    """A page without a fault that looks otherwise in the dark; `dark` is more of its style."""
    page.set_content(
        f"""<!doctype html><html lang="en"><title>A page</title><style>
        #picture {{ display: none }} body {{ background: #fff; color: #222 }} a {{ color: #00c }}
        @media (prefers-color-scheme: dark) {{
          body {{ background: #111; color: #eee }} a {{ color: #8cf }} {dark} }}</style>{BODY}"""
    )


@pytest.mark.parametrize("rule", FAULTS)
def test_a_fault_in_the_dark_is_found_though_there_was_none_in_the_light(page, rule):
    show(page, FAULTS[rule])
    if rule.startswith("scroll"):  # nothing in it that can be focused, but a lot to scroll to
        page.evaluate("document.querySelector('#x').innerHTML = '<br>'.repeat(40) + 'the end'")
    assert axe_faults(page) == []
    page.emulate_media(color_scheme="dark")
    assert {fault.partition(":")[0] for fault in axe_faults(page)} == {rule}
    assert {fault.partition(":")[0] for fault in axe_faults(page)} == {rule}, "found once only"


def test_a_change_by_a_script_is_seen(page):
    show(page, "")
    assert axe_faults(page) == []
    page.evaluate("document.querySelector('button').textContent = ''")
    assert [fault.partition(":")[0] for fault in axe_faults(page)] == ["button-name"]
