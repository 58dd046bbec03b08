"""Which browser prints the book and opens its pages in the tests."""

import shutil
from pathlib import Path


def browser(bundled: Path) -> str | None:
    """The path of a Chromium: the system's, or beside `bundled`, where `playwright install
    chromium` puts one; None if there is none. A shell without windows comes first: it opens a page
    in half the processor time.
    """
    shells = sorted(bundled.parents[2].glob("chromium_headless_shell-*/*/*headless*shell"))
    whole = ("chromium", "chromium-browser", "google-chrome", bundled)
    names = map(str, ("chromium-headless-shell", *shells, *whole))
    return next(filter(None, map(shutil.which, names)), None)
