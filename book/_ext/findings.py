"""`{findings}`, a list of findings, each a `{finding}` with its verdict, what the paper says, what
it rests on, and a bar for each number that has an interval; `{verdicts}`, which counts them; and
`{findings-key}`, which says what bars mean.

What is set bold is what the book found, so that who reads nothing else takes no claim for a result.

A line of evidence begins with what is drawn beside it, and a stroke. `clip`, `calibration` and
`control` draw the number with an interval that the line begins with, or the strip from the first of
two numbers to the second, in the colour of what was done; `count` draws so many of so many. `-`
draws nothing. The numbers are those that the chapters glued (`intervals.py`).
"""

import re
from pathlib import Path

import intervals
from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

SIGNS = {  # what a verdict looks like, besides its word
    "holds": '<path d="M2 6.5 4.8 9.5 10 3"/>',
    "in part": '<circle cx="6" cy="6" r="4"/><path class="half" d="M6 2a4 4 0 0 0 0 8z"/>',
    "not shown": '<circle cx="6" cy="6" r="4"/>',
    "fails": '<path d="M2.5 2.5 9.5 9.5M9.5 2.5 2.5 9.5"/>',
}
ON = {"small": "small models", "real": "SmolLM2"}
SCALED = ("clip", "calibration", "control")  # drawn on the scale of gains
DRAWN = (*SCALED, "count", "-")
KEY = {  # what each mark stands for
    "bar": "a gain on test in points of accuracy, with its 95 % interval over sets of"
    " demonstrations",
    "span": "several gains, from the least to the largest",
    "count": "so many of so many",
    "clip": "by a clip",
    "calibration": "by calibration",
    "control": "by another way to weaken the same matrices",
}
STRIP = re.compile(f"({intervals.NUMBER}) to ({intervals.NUMBER})")
GLUE = re.compile(r"\{glue:text\}`/chapters/(\w+)\.ipynb::([\w-]+):s`")
DRAWN_NUMBERS = re.compile(
    rf"(?:{GLUE.pattern}|\d+)(?: (?:to |of )?(?:{GLUE.pattern}|\d+))?(?![^ ,;])"
)


def sign(verdict: str) -> str:
    """The sign of a verdict; its word stands beside it."""
    return (
        f'<svg class="sign" viewBox="0 0 12 12" width="12" height="12" aria-hidden="true">'
        f"{SIGNS[verdict]}</svg>"
    )


def tag(verdict: str, said: str = "") -> nodes.inline:
    """A verdict as a word with its sign, before which `said` may stand."""
    made = nodes.inline(classes=["verdict", verdict.replace(" ", "-")])
    made += [nodes.raw("", sign(verdict), format="html"), nodes.Text(f"{said} {verdict}".strip())]
    return made


def claim(found: list[nodes.Node], paper: list[nodes.Node]) -> nodes.paragraph:
    """What was found, in bold, and beside it what the paper says of it, if it does."""
    made = nodes.paragraph(classes=["claim"])
    made += nodes.strong("", "", *found)
    if paper:
        said = nodes.inline("", "", nodes.Text("The paper: "), *paper, classes=["paper"])
        made += [nodes.Text(" "), said]
    return made


def drawn(kind: str, line: str, folder: Path, named: bool = False) -> str:
    """The picture for a line of evidence, from the numbers it begins with; empty for `-`. `named`:
    with the numbers of the scale.

    Raises ValueError if they are not what this kind draws.
    """
    values = [intervals.glued(folder, chapter).get(name) for chapter, name in GLUE.findall(line)]
    if kind == "-" or None in values:  # of a chapter that was not run; glue itself complains
        return ""
    left = iter(values)
    text = GLUE.sub(lambda _: next(left), line)
    if kind == "count":
        found = re.match(r"(\d+) of (\d+)", text)
        if not found:
            raise ValueError(f"a count begins with 'so many of so many', not with {text!r}")
        return intervals.squares(*map(int, found.groups()))
    if found := STRIP.match(text):
        ends = map(intervals.value_of, found.groups())
        return intervals.span(*ends, kind, f"{found[0]} points", named)
    if found := intervals.ESTIMATE.match(text):
        return intervals.bar(intervals.estimate_of(found[0]), kind, f"{found[0]} points", named)
    raise ValueError(f"neither '+1.7 [−0.9, +4.3]' nor '−1.2 to +1.7' begins {text!r}")


class Findings(SphinxDirective):
    """A list; what stands in it are findings."""

    has_content = True

    def run(self):
        made = nodes.bullet_list(classes=["findings"])
        self.state.nested_parse(self.content, self.content_offset, made)
        return [made]


class Finding(SphinxDirective):
    """One claim: verdict, claim, evidence, and, folded, the rest."""

    required_arguments = 1
    final_argument_whitespace = True
    has_content = True
    option_spec = dict.fromkeys(("name", "verdict", "paper", "chapters", *ON), directives.unchanged)

    def run(self):
        said = self.options
        try:
            if said["verdict"] not in SIGNS:
                raise ValueError(f"a verdict is one of {', '.join(SIGNS)}, not {said['verdict']!r}")
            evidence = self._evidence(
                {on: said[on].strip().splitlines() for on in ON if on in said}
            )
        except (KeyError, ValueError) as error:
            raise self.error(f"The finding {self.arguments[0]!r}: {error}") from error
        made = nodes.list_item(classes=["finding"], verdict=said["verdict"])
        made["ids"].append(nodes.make_id(f"finding-{said['name']}"))
        made += nodes.paragraph("", "", tag(said["verdict"]))
        made += claim(self._inline(self.arguments[0]), self._inline(said.get("paper", "")))
        made += evidence
        made += self._end(said["chapters"])
        return [made]

    def _end(self, chapters: str) -> nodes.container:
        """What is folded, and where all of it is shown."""
        end = nodes.container(classes=["finding-end"])
        end += nodes.raw("", "<details><summary>details</summary>", format="html")
        self.state.nested_parse(self.content, self.content_offset, end)
        end += nodes.raw("", "</details>", format="html")
        links = ", ".join(f"{{ref}}`{label}`" for label in chapters.split())
        end += nodes.paragraph("", "", *self._inline(links), classes=["where"])
        return end

    def _evidence(self, lines: dict[str, list[str]]) -> list[nodes.Node]:
        """A row a line; the last that is drawn on the scale has the scale's numbers."""
        told = [("" if at else ON[on], line) for on in lines for at, line in enumerate(lines[on])]
        parts = [[part.strip() for part in line.partition("|")[::2]] for _, line in told]
        if wrong := [kind for kind, _ in parts if kind not in DRAWN]:
            raise ValueError(f"a line begins with one of {', '.join(DRAWN)}, not with {wrong[0]!r}")
        scaled = [i for i, (kind, _) in enumerate(parts) if kind in SCALED]
        made, folder = [], Path(self.env.srcdir)
        for i, ((on, _), (kind, text)) in enumerate(zip(told, parts, strict=True)):
            row = nodes.container(classes=["evidence"] if kind != "-" else ["evidence", "bare"])
            row += nodes.paragraph("", on, classes=["on"])
            picture = drawn(kind, text, folder, named=i in scaled[-1:])
            row += nodes.raw("", picture, format="html")
            row += nodes.paragraph("", "", *self._numbers_first(kind, text))
            made.append(row)
        return made

    def _numbers_first(self, kind: str, text: str) -> list[nodes.Node]:
        """A line of evidence, with the numbers that are drawn set apart."""
        found = DRAWN_NUMBERS.match(text)
        if kind == "-" or not found:
            return self._inline(text)
        key = nodes.inline("", "", *self._inline(found[0]), classes=["key"])
        return [key, nodes.Text(" "), *self._inline(text[found.end() :].strip())]

    def _parsed(self, text: str, into: nodes.Element) -> None:
        lines = StringList(text.splitlines(), source=self.env.docname)
        self.state.nested_parse(lines, self.content_offset, into)

    def _inline(self, text: str) -> list[nodes.Node]:
        parsed = nodes.Element()
        self._parsed(text, parsed)
        return parsed.children[0].children if parsed.children else []


class Key(SphinxDirective):
    """What a bar, a strip, squares and their colours stand for: all of KEY, or those named."""

    optional_arguments = len(KEY)

    def run(self):
        made, samples = nodes.bullet_list(classes=["findings-key"]), intervals.samples()
        if wrong := [kind for kind in self.arguments if kind not in KEY]:
            raise self.error(f"A key explains {', '.join(KEY)}, but no {wrong[0]!r}")
        for kind in self.arguments or KEY:
            item, picture = nodes.list_item(), nodes.raw("", samples[kind], format="html")
            item += nodes.paragraph("", "", picture, nodes.inline("", KEY[kind]))
            made += item
        return [made]


class Verdicts(SphinxDirective):
    """How many of the claims of each list have which verdict."""

    def run(self):
        return [nodes.container(classes=["verdict-counts"])]


def count(doctree: nodes.document) -> None:
    """Fills in `{verdicts}`: a line for each list, under the title of its section."""
    for place in doctree.findall(nodes.container):
        if place["classes"] != ["verdict-counts"]:
            continue
        for made in doctree.findall(nodes.bullet_list):
            if "findings" not in made["classes"]:
                continue
            given = [finding["verdict"] for finding in made.children]
            title = made.parent.next_node(nodes.title).astext()
            link = nodes.reference("", title, refid=made.parent["ids"][0], internal=True)
            line = nodes.paragraph()
            line += nodes.inline("", "", link, nodes.Text(f", {len(given)} claims:"))
            line += nodes.Text(" ")
            for verdict in SIGNS:
                if verdict in given:
                    line += [tag(verdict, str(given.count(verdict))), nodes.Text(" ")]
            place += line


def setup(app):
    app.add_directive("findings", Findings)
    app.add_directive("finding", Finding)
    app.add_directive("findings-key", Key)
    app.add_directive("verdicts", Verdicts)
    app.connect("doctree-read", lambda app, doctree: count(doctree))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
