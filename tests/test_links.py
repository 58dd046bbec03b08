"""`make check-links`: what it finds, what it says it did not judge, and how it ends."""

import os
import re
import subprocess
import sys

import pytest
from test_chapters import ROOT

sys.path.insert(0, str(ROOT / "book/_ext"))
import links

PAGE = '<html><body><h2 id="here">A</h2>{}</body></html>'
BIB = """@misc{{one,
  title = {{One}},
  note  = {{arXiv:{noted}; published somewhere}},
  {field} = {{{value}}},
}}
"""


@pytest.fixture
def judged(tmp_path, capsys):
    """What is said of a site of two pages, of which the first has these links; and the status."""

    def judge(*addresses, network=False):
        shown = "".join(f'<a href="{address}">x</a>' for address in addresses)
        for name, body in {"a": shown, "b": ""}.items():
            (tmp_path / f"{name}.html").write_text(PAGE.format(body))
        status = links.judge(tmp_path, lambda address: network)
        return status, capsys.readouterr().out

    return judge


@pytest.mark.parametrize(
    "address, missing",
    [
        ("b.html#gone", "no such place on that page"),
        ("#gone", "no such place on that page"),
        ("c.html", "no such file"),
        ("img/c.png#here", "no such file"),
    ],
)
def test_a_dead_link_planted_in_a_page_is_named_and_fails(judged, address, missing):
    status, said = judged("b.html#here", address)
    assert status == 1 and f"a.html: {address} (there is {missing})" in said and "1 wrong" in said


def test_links_that_lead_somewhere_pass_and_say_what_nobody_judged(judged):
    own = ("#here", "b.html", "b.html#here", "?q=1", "#", "mailto:a@b.example")
    status, said = judged(*own, "https://a.example/1", "https://a.example/2")
    assert status == 3
    assert "2 links to other sites were not judged beyond their form: no network" in said
    status, said = judged(*own, "https://a.example/1", network=True)
    assert status == 0 and "not judged" not in said


@pytest.mark.parametrize(
    "address, why",
    [
        ("http://a.example", "not https"),
        ("https://doi.org/10.12/x", "not how a DOI"),
        ("https://dx.doi.org/10.1137/090771806", "not how a DOI"),
        ("https://arxiv.org/abs/2406.376", "not how a DOI or an arXiv number"),
        ("https://arxiv.org/list/cs", "not how a DOI or an arXiv number"),
        ("https://arxiv.org/abs/2406.03760", r"not in references\.bib"),
        ("https://doi.org/10.1137/090771807", r"not in references\.bib"),
    ],
)
def test_a_link_to_another_site_that_cannot_be_right_fails_without_a_network(judged, address, why):
    status, said = judged(address)
    assert status == 1 and re.search(f"a.html: {re.escape(address)} .*{why}", said)


def test_the_references_agree_with_themselves():
    known, wrong = links.contradicting(links.REFERENCES.read_text())
    assert wrong == [] and len(known) > 30
    assert {("arxiv", "2406.03768"), ("doi", "10.1137/090771806")} <= known


@pytest.mark.parametrize(
    "noted, field, value, wrong",
    [
        ("2312.13558", "url", "https://arxiv.org/abs/2312.13558", ""),
        ("2312.13558", "url", "https://arxiv.org/abs/2312.13559", "another number"),
        ("2312.13558", "doi", "10.x/1", "DOI is none"),
    ],
)
def test_an_entry_that_contradicts_itself_is_named(noted, field, value, wrong):
    _, found = links.contradicting(BIB.format(noted=noted, field=field, value=value))
    assert (wrong in "".join(found)) if wrong else found == []


def test_one_host_that_answers_is_a_network_and_no_more_than_five_are_asked():
    asked = []
    ask = lambda address: asked.append(address) or "c." in address
    assert links.reached(["https://a.example", "https://a.example/2", "https://c.example"], ask)
    assert len(asked) == 2
    asked.clear()
    assert not links.reached([f"https://{i}.example" for i in range(9)], ask) and len(asked) == 5


@pytest.mark.parametrize("found, ci, fails", [(3, "", False), (3, "true", True), (1, "", True)])
def test_make_ends_as_the_links_are(tmp_path, found, ci, fails):
    """The recipe alone, with a Python that only says what was found."""
    (tmp_path / "bin").mkdir()
    python = tmp_path / "bin/python"
    python.write_text(f"#!/bin/sh\nexit {found}\n")
    python.chmod(0o755)
    rules = (ROOT / "book/publish.mk").read_text().replace("check-links: html", "check-links:")
    (tmp_path / "rules.mk").write_text(f"BIN := bin\n{rules}")
    done = subprocess.run(
        ["make", "--silent", "-f", "rules.mk", "check-links"],
        cwd=tmp_path,
        env=os.environ | {"CI": ci, "MAKEFLAGS": ""},
        capture_output=True,
    )
    assert bool(done.returncode) == fails, done.stderr
