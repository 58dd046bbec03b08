"""On the built pages a p-value has one style: p = .03 in a sentence, .03 under a heading p."""

import re

import pytest
from bs4 import BeautifulSoup
from test_book import pages  # noqa: F401  builds the book, or finds it built
from test_numbers_pages import visible

IN_A_SENTENCE = re.compile(r"\bp\b[^.;·|\]]{0,10}[=<≤≥>]\s*0\.\d")
IN_A_CELL = re.compile(r"–||1|\.\d{1,4}|< \.001")
HEADING = re.compile(r"p\b(?!\s*<)")


def faults(page: BeautifulSoup) -> list[str]:
    """Each p-value of a page that is written in another way, with the words around it."""
    found = [text[:120] for text in visible(page) if IN_A_SENTENCE.search(text)]
    for table in page.select("article table"):
        heads = [cell.get_text(" ", strip=True) for cell in table.select("thead tr th")]
        for row in table.select("tbody tr"):
            cells = [cell.get_text(" ", strip=True) for cell in row.select("th, td")]
            if len(cells) != len(heads):
                continue  # a heading in several rows
            for head, cell in zip(heads, cells):
                if HEADING.match(head) and not IN_A_CELL.fullmatch(cell):
                    found.append(f"{head}: {cell}")
    return found


@pytest.mark.built
def test_p_values_have_one_style_in_sentences_and_tables(pages):  # noqa: F811
    read = {name: page for name, page in pages.items() if page.select_one("article")}
    found = {name: faults(page) for name, page in read.items()}
    assert {name: rows for name, rows in found.items() if rows} == {}


@pytest.mark.parametrize(
    "text, n_faults",
    [
        ("<p>a gain (p = 0.03)</p>", 1),
        ("<p>a gain (p = .03), p &lt; .001, p = 1</p>", 0),
        ("<p>after Holm p &lt; 0.001; ξ = 0.9</p>", 1),
        ("<p>p of the gain, at ξ = 0.9</p>", 0),
        ("<table><thead><tr><th>p (Holm)</th></tr></thead><tbody>{}</tbody></table>", 1),
    ],
)
def test_another_style_is_seen(text, n_faults):
    rows = "".join(f"<tr><td>{p}</td></tr>" for p in (".03", "< .001", "1", "–", "0.03"))
    page = BeautifulSoup(f"<article>{text.replace('{}', rows)}</article>", "html.parser")
    assert len(faults(page)) == n_faults
