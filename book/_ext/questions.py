"""Questions that are answered in the page, offline, from the keyboard, and aloud.

`{question} What …?` holds two lists, `+` before a right answer and `-` before a wrong one, in their
order, and then why. `{guess} name` asks for the number that was glued under this name; its text is
the question, `:unit:` what follows the number, and `:hides: fig-name` covers a figure until the
reader has guessed, or does not want to. Every number is glued, as in the text. Without a script,
and in print, the question stands there with its answers and, folded, the why.
`book/assets/questions.js` does the rest.
"""

from docutils import nodes
from docutils.parsers.rst import Directive, directives

SCRIPT = "questions.js"


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
                '</fieldset><button type="submit" hidden>Check</button><p role="status"></p>'
                f'{folded}<p class="which">Right: answer {letters}.</p>'
            )
        ]
        return [*made, *why, _html("</details></form>")]


class Guess(_Asked):
    """A number to guess before it is shown."""

    option_spec = {"unit": directives.unchanged, "hides": directives.unchanged}

    def run(self):
        name, unit = self.begin(), self.options.get("unit", "")
        hides, cover = self.options.get("hides", ""), []
        if hides:
            # covered from the first picture on, and only where a script can uncover it; the theme
            # has filters of its own, hence !important
            rule = f'[id="{hides}"] :is(img, svg) {{ filter: blur(1.2rem) !important; }}'
            cover = [
                _html(
                    f'<style class="cover" data-of="{hides}">'
                    f"@media screen and (scripting: enabled) {{ {rule} }}</style>"
                )
            ]
        form = f'<form class="guess" id="{name}" data-unit="{unit}" data-hides="{hides}">'
        skip = '<button type="button" class="skip" hidden>Show it without a guess</button>'
        label = f'<label for="{name}-number">Your guess</label>'
        field = f'{label} <input id="{name}-number" type="text" inputmode="decimal" size="6">'
        row = f'<p class="row" hidden>{field} {unit} <button type="submit">Compare</button> {skip}'
        return [
            *cover,
            _html(form),
            *self.content_nodes(),
            _html(
                f'{row}</p><p role="status"></p><details class="why"><summary>The number</summary>'
                '<p class="number">'
            ),
            *self.inline(f"{{glue:text}}`{self.arguments[0]}`"),
            _html(f" {unit}</p></details></form>"),
        ]


def _load_script(app, pagename, templatename, context, doctree):
    if app.env.metadata.get(pagename, {}).get("questions"):
        app.add_js_file(SCRIPT, type="text/after-paint")


def setup(app):
    app.add_directive("question", Question)
    app.add_directive("guess", Guess)
    app.connect("html-page-context", _load_script)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
