"""Every widget of the book at the ends of everything that can be moved, one by one, all together,
and anyhow; and started from addresses that no reader made. Nothing of it is "NaN" or "undefined".
"""

import json
import re
from urllib.parse import quote

import pytest
from browsers import opened
from test_browser import sites  # noqa: F401
from test_chapters import ROOT

from svdicl_lite import widgets

# Moves the controls of a widget, and tells what in it is no number, no word and no place.
ENDS = """async (widget, only) => {
  const rest = () => new Promise((resume) => requestAnimationFrame(() => setTimeout(resume)));
  const bad = /(?<![\\w-])-?(NaN|Infinity|undefined|null)(?![\\w-])|\\[object /;
  const told = () => {
    const nodes = [widget, ...widget.querySelectorAll("*")];
    return nodes.flatMap((node) => [
      ...[...node.attributes].map(({ name, value }) => `${node.localName} ${name}=${value}`),
      ...[...node.childNodes].filter(({ nodeType }) => nodeType === 3).map(({ data }) => data),
    ]).find((text) => bad.test(text));
  };
  const controls = [...widget.querySelectorAll("input[type=range], select")];
  const to = (control, share) => {
    const list = control.localName === "select";
    if (list) control.selectedIndex = Math.round(share * (control.options.length - 1));
    else control.value = Number(control.min) + share * (control.max - control.min);
    control.dispatchEvent(new Event(list ? "change" : "input", { bubbles: true }));
  };
  let seed = 1;
  const chance = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
  const alone = controls.flatMap((_, i) => [(j) => Number(i === j), (j) => Number(i !== j)]);
  const anyhow = () => [0, 0, 1, 1, chance()][Math.floor(5 * chance())];
  const all = [() => 0, () => 1, ...alone, ...Array.from({ length: 30 }, () => anyhow)];
  const states = only ? only.map((share) => () => share) : all;
  const found = [];
  for (const state of states) {
    const shares = controls.map((_, i) => state(i));
    controls.forEach((control, i) => to(control, shares[i]));
    await rest();
    const fault = told();
    if (fault) found.push(`${fault.slice(0, 120)} at ${shares.map((one) => one.toFixed(2))}`);
  }
  if (only) return found;
  const buttons = widget.querySelectorAll("button:not(.kept *):not(:disabled)");
  buttons.forEach((button) => button.click());
  await rest();
  const fault = told();
  if (fault) found.push(`${fault.slice(0, 120)} after the buttons`);
  return found;
}"""
JUNK = ("NaN", "-1", "1e999", "null", "[]", '"MLP"', "0.1234567", "", "{}", "99999")
TEXTS = ("demonstrations", "query", "label_words")  # where "null" is a word like others


def pages_with_widgets():
    """The chapters that show a widget, by their sources."""
    kinds = re.compile(rf"\b({'|'.join(widgets.__all__)})\(")
    sources = sorted((ROOT / "chapters").glob("*.md"))
    return [source.stem for source in sources if kinds.search(source.read_text())]


@pytest.mark.built
@pytest.mark.parametrize("name", pages_with_widgets())
def test_at_the_ends_of_every_control_a_widget_has_numbers(browser, sites, name):  # noqa: F811
    url = f"{sites['file']}/chapters/{name}.html"
    with opened(browser, url, reduced_motion="reduce") as page:
        shown = page.locator(".widget > .svdicl")
        assert shown.count()
        for widget in shown.all():
            found = widget.evaluate(ENDS)
            assert found == [], (widget.get_attribute("aria-label"), len(found), found[:2])
        names = set()
        for share in (0, 1):  # what does not stand where it began is in the address, a while later
            shown.evaluate_all(f"all => Promise.all(all.map((one) => ({ENDS})(one, [{share}])))")
            page.wait_for_timeout(400)
            names |= set(re.findall(r"[?&]([\w.-]+)=", page.url))
        names = sorted(name for name in names if name.split(".")[1] not in TEXTS)
        assert names and page.faults == []
    for turn in range(2):
        junk = [(key, JUNK[(i + 5 * turn) % len(JUNK)]) for i, key in enumerate(names)]
        address = url + "?" + "&".join(f"{key}={quote(value)}" for key, value in junk)
        with opened(browser, address, reduced_motion="reduce") as page:
            text = json.dumps(page.locator(".widget > .svdicl").all_inner_texts())
            assert not re.search(r"\b(NaN|undefined|Infinity|null)\b", text), address
            assert page.faults == []
