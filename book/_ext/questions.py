"""Questions that are answered in the page, offline, from the keyboard, and aloud.

`{question} What …?` holds two lists, `+` before a right answer and `-` before a wrong one, in their
order, and then why.

`{guess} name` asks for what was glued under this name, and `{curve} name` has it drawn. Its text is
the question, and `:hides: fig-name` covers a figure with its caption until the reader has guessed,
or does not want to; several names cover all that answers it: figures, paragraphs by their label,
and what a cell with this tag shows. What is covered keeps its place, and is not there for a screen
reader or the keyboard either. A guess is a number, and `:unit:` what follows it, or one of the
`:choices: this | that`. A curve has a point at each of the places `:at: 0 1 2`, which `:x:` names;
`:y:` names what is drawn, between the two numbers of `:between:`; glued is
"0: 0.52; 1: 0.87; 2: 0.88".

Everything is glued, as in the text. Without a script, and in print, the question stands there with
its answers, or with empty axes, and, folded, the why. `book/assets/questions.js` does the rest.
"""

import re
from html import escape

from curves import axes
from docutils import nodes
from docutils.parsers.rst import Directive, directives
from sphinx.util.logging import getLogger

SCRIPT = "questions.js"
COVERED = "Covered until you have made your guess above, or ask to be shown it without one."
LOOK = (
    f'content: "{COVERED}"; visibility: visible; position: absolute; inset: 0; display: grid;'
    " place-content: center; padding: 0 1rem; text-align: center;"
    " border: 1.5px dashed currentColor; border-radius: 6px"
)


def _html(text: str) -> nodes.raw:
    return nodes.raw("", text, format="html")


def covering(names: str) -> str:
    """A style element that covers what has one of these names: from the first picture on, and only
    where a script can uncover it.
    """
    places = [f'[id="{name}"], .tag_{name} > .cell_output' for name in names.split()]
    covered = f":is({', '.join(places)})"
    rules = f"{covered} {{ visibility: hidden; position: relative; min-height: 3.5rem }}"
    rules += f" {covered}::before {{ {LOOK} }}"
    media = "@media screen and (scripting: enabled)"
    return f'<style class="cover" data-of="{names}">{media} {{ {rules} }}</style>'


class _Asked(Directive):
    has_content = True
    required_arguments = 1
    final_argument_whitespace = True

    def begin(self) -> str:
        """Has the page load the script, and numbers the question."""
        environment = self.state.document.settings.env
        environment.metadata[environment.docname]["questions"] = True
        return f"question-{environment.new_serialno('question') + 1}"

    def inline(self, text: str) -> list[nodes.Node]:
        found, _ = self.state.inline_text(text, self.lineno)
        return found

    def content_nodes(self) -> list[nodes.Node]:
        held = nodes.Element()
        self.state.nested_parse(self.content, self.content_offset, held)
        return held.children


class Question(_Asked):
    """Several answers, of which one or more are right."""

    def run(self):
        name, why, answers = self.begin(), [], []
        for node in self.content_nodes():
            if isinstance(node, nodes.bullet_list):
                right = node.get("bullet") == "+"
                answers += [(right, item.children[0].children) for item in node.children]
            else:
                why.append(node)
        n_right = sum(right for right, _ in answers)
        if not 0 < n_right < len(answers) or not why:
            raise self.error(
                f"a question needs right answers (+), wrong ones (-) and a reason, but this has"
                f" {n_right} right of {len(answers)} and {'a' if why else 'no'} reason"
            )
        kind = "radio" if n_right == 1 else "checkbox"
        made = [_html(f'<form class="question" id="{name}"><fieldset><legend>')]
        made += [*self.inline(self.arguments[0]), _html("</legend>")]
        for i, (right, text) in enumerate(answers):
            control = f'<input type="{kind}" name="{name}" value="{i}" data-right="{int(right)}">'
            made += [_html(f'<label class="option">{control} <span>'), *text]
            made.append(_html("</span></label>"))
        folded = '<details class="why"><summary>The answer</summary>'
        letters = ", ".join(str(i + 1) for i, (right, _) in enumerate(answers) if right)
        made += [
            _html(
                '</fieldset><button type="submit">Check</button><p role="status"></p>'
                f'{folded}<p class="which">Right: answer {letters}.</p>'
            )
        ]
        return [*made, *why, _html("</details></form>")]


class Guess(_Asked):
    """Something to guess before it is shown: a number, or one of several choices."""

    option_spec = {
        "unit": directives.unchanged,
        "hides": directives.unchanged,
        "choices": directives.unchanged,
    }
    kind, answer = "guess", "The answer"

    def field(self, name: str) -> str:
        """What the guess is given with."""
        choices = [escape(one.strip()) for one in self.options.get("choices", "").split("|")]
        if choices == [""]:
            number = f'<input id="{name}-number" type="text" inputmode="decimal" size="6">'
            return f'<label for="{name}-number">Your guess</label> {number}'
        if len(set(choices)) < max(2, len(choices)):
            raise self.error("choices are two or more, all different, with | between them")
        radio = f'<input type="radio" name="{name}" value="{{0}}">'
        row = f'<label class="option">{radio} <span>{{0}}</span></label>'
        options = "".join(map(row.format, choices))
        return f'<div role="radiogroup" aria-label="Your guess">{options}</div>'

    def run(self):
        name, unit = self.begin(), self.options.get("unit", "")
        hides = self.options.get("hides", "")
        cover = [_html(covering(hides))] if hides else []
        environment = self.state.document.settings.env
        environment.metadata[environment.docname].setdefault("covered", []).extend(hides.split())
        skip = '<button type="button" class="skip">Show it without a guess</button>'
        buttons = f'<button type="submit">Compare</button> {skip if hides else ""}'
        return [
            *cover,
            _html(
                f'<form class="{self.kind}" id="{name}" data-unit="{unit}" data-hides="{hides}">'
            ),
            *self.content_nodes(),
            _html(
                f'<div class="fields">{self.field(name)} {unit} {buttons}</div>'
                '<p role="status"></p><details class="why">'
                f'<summary>{self.answer}</summary><p class="number">'
            ),
            *self.inline(f"{{glue:text}}`{self.arguments[0]}`"),
            _html(f" {unit}</p></details></form>"),
        ]


class Curve(Guess):
    """A curve to draw before it is shown."""

    option_spec = {
        "hides": directives.unchanged,
        **dict.fromkeys(("at", "x", "y", "between"), directives.unchanged_required),
    }
    kind, answer = "curve", "The numbers"

    def field(self, name: str) -> str:
        missing = {"at", "x", "y", "between"} - self.options.keys()
        if missing:
            raise self.error(
                f"a curve needs :at:, :x:, :y: and :between:, but has no :{min(missing)}:"
            )
        at, x, y, between = (self.options[one] for one in ("at", "x", "y", "between"))
        how = '<p class="how">Move the points, with the pointer or with the arrow keys.</p>'
        try:
            low, high = map(float, between.split())
            return axes(at.split(), low, high, x, y) + how
        except ValueError as fault:
            raise self.error(
                f"a curve has places and two numbers to lie between: {fault}"
            ) from None


def _load_script(app, pagename, templatename, context, doctree):
    told = app.env.metadata.get(pagename, {})
    if told.get("questions"):
        app.add_js_file(SCRIPT, type="text/after-paint")
    for name in told.get("covered", []):
        place = rf'\sid="{re.escape(name)}"|class="[^"]*\btag_{re.escape(name)}[\s"]'
        if not re.search(place, context["body"]):
            getLogger(__name__).warning(
                f"a guess hides {name!r}, but no figure, paragraph or tagged cell of this page has"
                " that name",
                location=pagename,
            )


def setup(app):
    app.add_directive("question", Question)
    app.add_directive("guess", Guess)
    app.add_directive("curve", Curve)
    app.connect("html-page-context", _load_script)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
