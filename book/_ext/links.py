"""Judges the links of the built pages: `python book/_ext/links.py SITE`.

Within the book each link must lead to a file that is there, and to a place that is on it. Links to
other sites are held to their form: https, a DOI or an arXiv number as these are written, and the
same one in `references.bib`. Whether the other site answers only a network can tell: where there is
one, `make check-links` asks Sphinx's linkcheck next; where there is none, it says how many links
nobody judged.

Exit status: 0 all is well and another site answers; 1 a link is dead or malformed; 3 all is well as
far as it goes, and no other site could be reached.
"""

import http.client
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup

REFERENCES = Path(__file__).parents[1] / "references.bib"
DOI = re.compile(r"https://doi\.org/(10\.\d{4,9}/\S+)")
ARXIV = re.compile(r"https://arxiv\.org/(?:abs|pdf)/(\d{4}\.\d{4,5}|[a-z-]+/\d{7})(?:v\d+)?")
FIELD = re.compile(r"^\s*(\w+)\s*=\s*\{(.*)\},?$", re.MULTILINE)
Links = dict[str, set[str]]  # of a page's name, its addresses


def pages_of(site: Path) -> dict[str, BeautifulSoup]:
    """Name of a page, as seen from the site → the page."""
    return {
        path.relative_to(site).as_posix(): BeautifulSoup(path.read_text("utf-8"), "html.parser")
        for path in sorted(site.rglob("*.html"))
        if "_static" not in path.parts
    }


def links_of(page: BeautifulSoup) -> set[str]:
    """All that a page leads to or shows."""
    return {str(node.get("href", node.get("src", ""))) for node in page.select("[href], [src]")}


def places_of(page: BeautifulSoup) -> set[str]:
    """What a link to a place on the page may name."""
    return {str(node.get("id", node.get("name", ""))) for node in page.select("[id], a[name]")}


def dead(links: Links, places: dict[str, set[str]], site: Path) -> list[str]:
    """Links within the book that lead nowhere, "page: link (what is missing)"; `places` are the
    pages' ids.
    """
    found = []
    for name, addresses in links.items():
        for address in sorted(addresses):
            url = urlsplit(address)
            if url.scheme or url.netloc:
                continue
            target = (site / name).parent / unquote(url.path) if url.path else site / name
            if not target.exists():
                found.append(f"{name}: {address} (there is no such file)")
                continue
            page = target.resolve().relative_to(site.resolve()).as_posix()
            if url.fragment and page in places and unquote(url.fragment) not in places[page]:
                found.append(f"{name}: {address} (there is no such place on that page)")
    return found


def outside(links: Links) -> dict[str, str]:
    """Link to another site → the first page that has it."""
    found: dict[str, str] = {}
    for name, addresses in links.items():
        for address in sorted(addresses):
            if urlsplit(address).netloc:
                found.setdefault(address, name)
    return found


def numbers_of(address: str) -> tuple[str, str] | None:
    """("doi" or "arxiv", its number) of a link to one; None of any other."""
    if found := DOI.fullmatch(address):
        return "doi", found[1].lower()
    if found := ARXIV.fullmatch(address):
        return "arxiv", found[1]
    return None


def malformed(addresses: dict[str, str], known: set[tuple[str, str]]) -> list[str]:
    """Links to other sites that cannot be right; `known` are the numbers in the references."""
    found = []
    for address, name in addresses.items():
        host, numbers = urlsplit(address).netloc, numbers_of(address)
        if not address.startswith("https://"):
            found.append(f"{name}: {address} (not https)")
        elif host in ("doi.org", "dx.doi.org", "arxiv.org") and numbers is None:
            found.append(f"{name}: {address} (not how a DOI or an arXiv number is written)")
        elif numbers and numbers not in known:
            found.append(f"{name}: {address} (not in references.bib)")
    return found


def contradicting(references: str) -> tuple[set[tuple[str, str]], list[str]]:
    """The numbers in a BibTeX file, and its entries that name one arXiv number in the note and
    another in the link, or a number that is none.
    """
    known, found = set(), []
    for entry in f"\n{references}".split("\n@")[1:]:
        name, fields = entry.partition("{")[2].partition(",")[0], dict(FIELD.findall(entry))
        said = {f"https://doi.org/{fields['doi']}"} if "doi" in fields else set()
        said |= {fields["url"]} if "url" in fields else set()
        numbers = {one for address in said if (one := numbers_of(address))}
        noted = {
            ("arxiv", n) for n in re.findall(r"arXiv:(\S+?)(?:[;,.]?\s|$)", fields.get("note", ""))
        }
        if "doi" in fields and numbers_of(f"https://doi.org/{fields['doi']}") is None:
            found.append(f"references.bib: {name} (its DOI is none)")
        if noted and not noted <= numbers:
            found.append(f"references.bib: {name} (its note names another number than its link)")
        known |= numbers | noted
    return known, found


def answers(address: str) -> bool:
    """Whether the site of an address says anything at all within five seconds."""
    try:
        urllib.request.urlopen(urllib.request.Request(address, method="HEAD"), timeout=5)
    except urllib.error.HTTPError:
        return True
    except (OSError, http.client.HTTPException):
        return False
    return True


def reached(addresses: Iterable[str], ask: Callable[[str], bool] = answers) -> bool:
    """Whether one of the first five hosts answers."""
    hosts = {urlsplit(address).netloc: address for address in addresses}
    return any(ask(address) for address in list(hosts.values())[:5])


def judge(site: Path, ask: Callable[[str], bool] = answers) -> int:
    """Prints what is wrong, how much was looked at and what nobody judged; the exit status."""
    pages = pages_of(site)
    links = {name: links_of(page) for name, page in pages.items()}
    places = {name: places_of(page) for name, page in pages.items()}
    others = outside(links)
    known, wrong = contradicting(REFERENCES.read_text(encoding="utf-8"))
    wrong += dead(links, places, site) + malformed(others, known)
    print("\n".join(wrong), end="\n" if wrong else "")
    inside = sum(map(len, links.values())) - sum(
        bool(urlsplit(one).scheme) for all_of in links.values() for one in all_of
    )
    print(f"{inside} links within {len(pages)} pages, {len(others)} to others: {len(wrong)} wrong")
    if wrong:
        return 1
    if not reached(others, ask):
        print(f"{len(others)} links to other sites were not judged beyond their form: no network")
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(judge(Path(sys.argv[1])))
