"""Questions that are answered in the page, offline, from the keyboard, and aloud.

`{question} What …?` holds two lists, `+` before a right answer and `-` before a wrong one, in their
order, and then why. A page counts its questions, and says at the end how many were right.

`{guess} name` is a prediction: it asks for what was glued under this name, and `{curve} name` has
it drawn. Its text ends with the question. `{answer}`, written behind what the reader runs, explains
the guess before it, and stands in its box. `:hides: fig-name` covers a figure until the reader has
guessed, or does not want to; `covers.py` says what else has a name. A guess is a number, and
`:unit:` what follows it, or one of the `:choices: this | that`. A curve has a point at each of the
places `:at: 0 1 2`, which `:x:` names; `:y:` names what is drawn, between the two numbers of
`:between:`; glued is "0: 0.52; 1: 0.87; 2: 0.88". `:line: 0.5 chance` is a
line at what is known.

Everything is glued, as in the text. Without a script, and in print, the question stands there with
its answer and the why. `book/assets/questions.js` does the rest.
"""

from html import escape

from curves import axes
from docutils import nodes
from docutils.parsers.rst import Directive, directives
from sphinx.transforms import SphinxTransform
from sphinx.util.logging import getLogger

SCRIPT = "questions.js"
# Before anything that is covered is drawn: whether the reader wants nothing covered.
EARLY = (
    '<script>try { if (localStorage["svdicl-covers"] === "off")'
    ' document.documentElement.dataset.covers = "off" } catch {}</script>'
)
SKIP = '<button type="button" class="quiet skip">Show the answer</button>'
WAYS = (
    '<button type="button" class="quiet never">Always show all figures</button>'
    '<span class="shown">All figures are shown.'
    ' <button type="button" class="quiet again">Ask me first again</button></span>'
)


class Place(nodes.Element):
    """Where something goes once the whole page is read; `kind` says what."""


def _html(text: str) -> nodes.raw:
    return nodes.raw("", text, format="html")


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
        made = [_html(f'<form class="asks question" id="{name}"><fieldset><legend>')]
        made += [Place(kind="count"), *self.inline(self.arguments[0]), _html("</legend>")]
        for i, (right, text) in enumerate(answers):
            control = f'<input type="{kind}" name="{name}" value="{i}" data-right="{int(right)}">'
            made += [_html(f'<label class="option">{control} <span>'), *text]
            made.append(_html("</span></label>"))
        letters = ", ".join(str(i + 1) for i, (right, _) in enumerate(answers) if right)
        made += [
            _html(
                f'</fieldset><div class="fields"><button type="submit">Check</button>{SKIP}'
                '<p role="status"></p></div>'
                f'<div class="why"><p class="which">Right: answer {letters}.</p>'
            )
        ]
        return [*made, *why, _html("</div></form>"), Place(kind="tally")]


class Guess(_Asked):
    """Something to guess before it is shown: a number, or one of several choices."""

    option_spec = {
        "unit": directives.unchanged,
        "hides": directives.unchanged,
        "choices": directives.unchanged,
    }
    kind = "guess"

    def answer(self) -> str:
        """What stands before the number."""
        return "It is"

    def known(self) -> list[nodes.Node]:
        """What is drawn before the guess."""
        return []

    def field(self, name: str) -> str:
        """What the guess is given with."""
        choices = [escape(one.strip()) for one in self.options.get("choices", "").split("|")]
        unit = escape(self.options.get("unit", ""))
        if choices == [""]:
            number = f'<input id="{name}-number" type="text" inputmode="decimal" size="6">'
            return f'<label for="{name}-number">Your guess</label> {number} {unit}'
        if len(set(choices)) < max(2, len(choices)):
            raise self.error("choices are two or more, all different, with | between them")
        radio = f'<input type="radio" name="{name}" value="{{0}}">'
        row = f'<label class="option">{radio} <span>{{0}}</span></label>'
        options = "".join(map(row.format, choices))
        return f'<div role="radiogroup" aria-labelledby="{name}-asked">{options}</div>'

    def run(self):
        name, unit = self.begin(), escape(self.options.get("unit", ""))
        content, hides = self.content_nodes(), self.options.get("hides", "").split()
        if not content or not isinstance(content[-1], nodes.paragraph):
            raise self.error("a guess ends with its question, a paragraph")
        content[-1]["classes"].append("asked")
        content[-1]["ids"].append(f"{name}-asked")
        environment = self.state.document.settings.env
        covered = environment.metadata[environment.docname].setdefault("covered", [])
        early = "" if covered else EARLY
        covered.extend((one, name) for one in hides)
        ways = f'<span class="ways">{SKIP}{WAYS if hides else ""}</span>'
        return [
            _html(
                f'{early}<form class="asks {self.kind}" id="{name}" data-unit="{unit}">'
                '<p class="label">Predict, then run</p>'
            ),
            *content,
            *self.known(),
            _html(
                f'<div class="fields">{self.field(name)} <button type="submit">Compare</button>'
                f'{ways}</div><p role="status"></p><div class="why">'
                f'<p class="number">{self.answer()} <b>'
            ),
            *self.inline(f"{{glue:text}}`{self.arguments[0]}`"),
            _html(f"{unit and ' ' + unit}</b>.</p>"),
            Place(kind="answer"),
            _html("</div></form>"),
        ]


class Curve(Guess):
    """A curve to draw before it is shown."""

    option_spec = {
        "hides": directives.unchanged,
        **dict.fromkeys(("at", "x", "y", "between", "line"), directives.unchanged_required),
    }
    kind = "curve"

    def known(self) -> list[nodes.Node]:
        line = self.options.get("line")
        return [_html('<p class="line">'), *self.inline(line), _html("</p>")] if line else []

    def answer(self) -> str:
        return f"Measured, by {escape(self.options['x'])}:"

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


class Answer(_Asked):
    """Why it is so: goes into the box of the guess before it."""

    required_arguments = 0

    def run(self):
        return [Place("", *self.content_nodes(), kind="why", line=self.lineno)]


class Places(SphinxTransform):
    """Explanations into the boxes of their guesses, and numbers to the questions."""

    default_priority = 150  # before tables get their captions, and figures their numbers

    def apply(self, **kwargs):
        found = {kind: [] for kind in ("answer", "why", "count", "tally")}
        free = None
        for place in list(self.document.findall(Place)):
            found[place["kind"]].append(place)
            if place["kind"] == "answer":
                free = place
            elif place["kind"] == "why":
                if free is None:
                    getLogger(__name__).warning(
                        "an answer follows its guess, but there is none before it that has no"
                        " answer yet",
                        location=(self.env.docname, place["line"]),
                    )
                else:
                    free.extend(place.children)
                place.parent.remove(place)
                free = None
        for place in found["answer"]:
            place.replace_self(place.children)
        total = len(found["count"])
        for i, place in enumerate(found["count"], start=1):
            which = f"Question {i} of {total}" if total > 1 else "Question"
            place.replace_self(_html(f'<span class="label">{which}</span> '))
        for place in found["tally"][:-1]:
            place.parent.remove(place)
        for place in found["tally"][-1:]:
            place.replace_self(_html('<p class="tally" role="status"></p>'))


def _load_script(app, pagename, templatename, context, doctree):
    if app.env.metadata.get(pagename, {}).get("questions"):
        app.add_js_file(SCRIPT, type="text/after-paint")


def setup(app):
    for name, kind in (("question", Question), ("guess", Guess), ("curve", Curve)):
        app.add_directive(name, kind)
    app.add_directive("answer", Answer)
    app.add_transform(Places)
    app.connect("html-page-context", _load_script)
    app.setup_extension("covers")
    return {"parallel_read_safe": True, "parallel_write_safe": True}
