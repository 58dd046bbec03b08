"""Sentences with mean human ratings: movie and product reviews, tweets, newspaper editorials.

From the source package of vaderSentiment 0.5 (MIT), which holds the ground truth of Hutto & Gilbert
(2014): one sentence a line, with the mean rating of 20 people between −4 and 4. The movie sentences
are those of Pang & Lee (2005), of which SST is made. Taught in chapter 14.
"""

import html
import io
import shutil
import tarfile
import zipfile
from pathlib import Path

from svdicl_lite.models.cache import cached
from svdicl_lite.models.packages import VADER, fetch

FOLDER = "vader-0.5-1"  # the number grows when what is kept changes
ARCHIVE = "vaderSentiment-0.5/additional_resources/hutto_ICWSM_2014.tar.gz"
FILES = {
    "movies": "movieReviewSnippets_GroundTruth.txt",
    "amazon": "amazonReviewSnippets_GroundTruth.txt",
    "tweets": "tweets_GroundTruth.txt",
    "editorials": "nytEditorialSnippets_GroundTruth.txt",
}


def rated(name: str) -> list[tuple[float, str]]:
    """(mean rating, sentence) of every line, fetched the first time (2.4 MB)."""
    folder = cached(FOLDER, _make, megabytes=10)
    return parsed((folder / FILES[name]).read_bytes())


def parsed(data: bytes) -> list[tuple[float, str]]:
    """(mean rating, sentence) of every line of a ground-truth file.

    Lines are an identifier, the rating and the text, between tabs; most are UTF-8, some Windows
    text. Entities of HTML (tweets have `&amp;`) become the characters that they stand for. Raises
    ValueError for a line that is something else.
    """
    found = []
    for number, line in enumerate(data.split(b"\n"), start=1):
        if not line.strip():
            continue
        cells = _decoded(line).split("\t", 2)
        try:
            _, rating, text = cells
            found.append((float(rating), " ".join(html.unescape(text).split())))
        except ValueError:
            raise ValueError(
                f"line {number} of the ground truth is no identifier, rating and text between tabs"
            ) from None
    return found


def by_sign(rows: list[tuple[float, str]], margin: float) -> list[dict]:
    """Rows with label 1 for a rating above zero and 0 for one below; those nearer to zero than
    `margin`, and those at zero, are left out.
    """
    if not 0 <= margin < 4:
        raise ValueError(
            f"margin is {margin!r}, but ratings go to 4, so it must be between 0 and 4"
        )
    return [
        {"text": text, "label": int(rating > 0)}
        for rating, text in rows
        if rating and abs(rating) >= margin
    ]


def _decoded(line: bytes) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("cp1252", errors="replace")


def _make(folder: Path) -> None:
    download = folder / "download"
    download.mkdir()
    with zipfile.ZipFile(fetch(VADER, download)) as package:
        with tarfile.open(fileobj=io.BytesIO(package.read(ARCHIVE)), mode="r:gz") as archive:
            for file in FILES.values():
                member = archive.extractfile(f"hutto_ICWSM_2014/{file}")
                if member is None:
                    raise ValueError(f"the package of vaderSentiment does not hold {file}")
                (folder / file).write_bytes(member.read())
    shutil.rmtree(download)
