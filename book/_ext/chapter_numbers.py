"""Numbers of chapters, figures and tables: which one it is, and on which page.

`numbered: 1` in `_toc.yml` counts the chapters through all parts; figures, tables and equations
then have the chapter's number before theirs (Figure 7.2). The chapter is shown as the text says it
and as its file has it, in two digits: 07.

A page that is no chapter has no number to begin with. Its figures and tables begin with 1, and a
reference from another page says where that is: Figure 1 of *Should I use this?*.
"""

import posixpath

from docutils import nodes
from sphinx import addnodes


def padded(number):
    """A section number whose first part has two digits: (7,) → ("07",)."""
    return number and (f"{int(number[0]):02d}", *number[1:])


def by_page(numbers: dict[str, tuple]) -> dict[str, tuple]:
    """Name → number of the figures of one page, in their order: (31,), (32,) → (1,), (2,).

    Those of a chapter, (7, 1), (7, 2), stay.
    """
    plain = [name for name, number in numbers.items() if len(number) == 1]
    return numbers | {name: (at,) for at, name in enumerate(plain, start=1)}


def _number(app, env):
    """After Sphinx has numbered chapters, and figures by them."""
    for page, numbers in env.toc_secnumbers.items():
        env.toc_secnumbers[page] = {anchor: padded(number) for anchor, number in numbers.items()}
        for node in (env.titles[page], env.longtitles[page], *env.tocs[page].findall()):
            if getattr(node, "attributes", {}).get("secnumber"):
                node["secnumber"] = padded(node["secnumber"])
    for kinds in env.toc_fignumbers.values():
        kinds |= {kind: by_page(numbers) for kind, numbers in kinds.items()}
    return []


def _say_where(app, doctree, docname):
    """Adds the page's title to a reference to a figure of another page that is no chapter.

    One with words of its own, {numref}`the picture %s <fig-a>`, says what it wants to.
    """
    here = app.builder.get_target_uri(docname)
    plain = {
        app.builder.get_target_uri(page): page
        for page in app.env.toc_fignumbers
        if page != docname and not app.env.toc_secnumbers.get(page)
    }
    for link in doctree.findall(addnodes.number_reference):
        address = link.get("refuri", "").partition("#")[0]
        page = plain.get(posixpath.normpath(posixpath.join(posixpath.dirname(here), address)))
        if address and page and link["title"] in app.config.numfig_format.values():
            title = app.env.titles[page].astext()
            link += [nodes.Text(" of "), nodes.emphasis(title, title)]


def setup(app):
    app.connect("env-get-updated", _number, priority=900)
    app.connect("doctree-resolved", _say_where)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
