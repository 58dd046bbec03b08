"""Numbers are written in one place: no chapter has a formatter of its own, and none writes a
p-value in another way than `svdicl_lite.numbers.p_value`.
"""

import ast
import re

import jupytext
import pytest
from test_chapters import CHAPTERS, ROOT

DIGITS = re.compile(r"\.\d*[efg%]|\{\w+\}[efg]")  # of a number; :g alone writes a setting as given
P_VALUE = re.compile(r"(?:^|_|\.)p(?:$|_alone$)|p_value|Holm")


def written(node: ast.expr) -> list[tuple[ast.expr, str]]:
    """(value, format) of each value that an f-string formats, and (template, format) of one that
    `format` fills.
    """
    found = []
    for part in ast.walk(node):
        if isinstance(part, ast.FormattedValue) and part.format_spec is not None:
            found.append((part.value, ast.unparse(part.format_spec)))
        match part:
            case ast.Attribute(value=ast.Constant(value=str() as template), attr="format"):
                found.append((part.value, template))
    return found


def is_text(node: ast.expr | None) -> bool:
    """Whether an expression is nothing but a text that is put together."""
    match node:
        case ast.JoinedStr():
            return True
        case ast.IfExp(body=one, orelse=other) | ast.BinOp(left=one, right=other):
            return is_text(one) or is_text(other)
        case ast.Call(func=ast.Attribute(value=inner)):  # f"…".replace(…), "…".format(…)
            return is_text(inner) or isinstance(inner, ast.Constant)
        case ast.Call(func=ast.Name(id="tidy")):
            return True
    return False


def formatters(source: str) -> list[str]:
    """The functions of a cell that give back a number as text, formatted by themselves."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Lambda):
            name, given = "lambda", [node.body]
        elif isinstance(node, ast.FunctionDef) and not node.name.startswith("check_"):
            name = node.name
            given = [part.value for part in ast.walk(node) if isinstance(part, ast.Return)]
        else:
            continue
        texts = [value for value in given if value is not None and is_text(value)]
        if any(DIGITS.search(form) for text in texts for _, form in written(text)):
            found.append(name)
    return found


def own_p_values(source: str) -> list[str]:
    """The p-values that a cell formats by itself: what a reader sees has one style."""
    return [
        ast.unparse(value)
        for value, form in written(ast.parse(source))
        if P_VALUE.search(ast.unparse(value).strip("'\"")) and DIGITS.search(form)
    ]


def cells(chapter: str) -> list[str]:
    read = jupytext.read(ROOT / f"chapters/{chapter}.md").cells
    sources = [cell.source for cell in read if cell.cell_type == "code"]
    return [source for source in sources if not source.startswith("%")]


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_no_chapter_formats_numbers_by_a_function_of_its_own(chapter):
    assert [name for source in cells(chapter) for name in formatters(source)] == []


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_p_values_are_written_by_the_library(chapter):
    checks = re.compile(r"def check_\w+\(")  # what an exercise says of an answer is as exact as it
    asked = [source for source in cells(chapter) if not checks.search(source)]
    assert [value for source in asked for value in own_p_values(source)] == []


@pytest.mark.parametrize(
    "source",
    [
        'def signed(x):\n    return f"{x:+.1f}".replace("-", "−")',
        'def told(x):\n    return "–" if x != x else f"{x:.2f} [{x:.2f}]"',
        "f = lambda x: f'{100 * x:.0f}'",
        'def told(x, d):\n    return "{:.3f} → {:.3f}".format(x, d)',
        'def power(x):\n    return tidy(f"{x:.0e}")',
    ],
)
def test_a_private_formatter_is_seen(source):
    assert len(formatters(source)) == 1


@pytest.mark.parametrize(
    "source",
    [
        'def row(r):\n    return {"gain": f"{r:.3f}"}',
        'def place(rate):\n    return f"ξ = {rate:g}"',
        'def check_it(x):\n    return f"Not yet: {x:.2f}."',
        "def tau(mean, *ends):\n    return estimate(mean, ends, 2, signed=True)",
    ],
)
def test_rows_settings_and_what_calls_the_library_are_no_formatters(source):
    assert formatters(source) == []


def test_a_p_value_of_a_chapter_is_seen():
    for value in ("p", "p_alone", "result.p_value", "row['p, Holm']"):
        assert own_p_values(f'print(f"{{{value}:.2g}}")') == [value.replace("'", "'")]
    assert own_p_values('print(f"{up:.2f} {p_value(p)} {sweep:.1f}")') == []
