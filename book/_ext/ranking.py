"""Search results in the order of what a reader looks for: `ranking.js`, which Sphinx writes into
the site's search.
"""

from pathlib import Path


def _rank(app, config):
    config.html_search_scorer = str(Path(__file__).with_suffix(".js"))


def setup(app):
    app.connect("config-inited", _rank)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
