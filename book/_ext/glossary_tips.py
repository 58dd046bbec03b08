"""A link to a term of the glossary says what the term means, where the reader is: its definition
goes into the link as `data-tip`, and `book/assets/pages.js` shows it under the pointer or at focus.
So does the reference of a citation, which Sphinx would leave to the pointer alone, as a `title`.

It stands in the page, for a page opened from a folder cannot fetch the glossary. What a link to a
figure or a formula of the same page shows, the script finds there.
"""

from docutils import nodes


def definitions(doctree) -> dict[str, str]:
    """Anchor of a term → its definition as plain text."""
    found = {}
    for item in doctree.findall(nodes.definition_list_item):
        told = [node for node in item.children if isinstance(node, nodes.definition)]
        for term in item.findall(nodes.term):
            for anchor in term["ids"]:
                found[anchor] = " ".join(told[0].astext().split()) if told else ""
    return found


def _tip(app, doctree, docname):
    if docname == "book/glossary":
        return
    if not hasattr(app, "svdicl_terms"):
        app.svdicl_terms = definitions(app.env.get_doctree("book/glossary"))
    for link in doctree.findall(nodes.reference):
        if "references.html#" in link.get("refuri", "") and link.get("reftitle"):
            link["tip"] = link["reftitle"]
            del link["reftitle"]
        anchor = link.get("refuri", "").partition("glossary.html#")[2]
        if app.svdicl_terms.get(anchor):
            link["tip"] = app.svdicl_terms[anchor]


def _write(app):
    """Has the HTML writer put tips into links."""
    if app.builder.format != "html":
        return
    theirs = app.builder.get_translator_class()

    class Tipping(theirs):
        def starttag(self, node, tagname, *args, **attributes):
            if tagname == "a" and isinstance(node, nodes.Element) and node.get("tip"):
                attributes["data-tip"] = node["tip"]
            return super().starttag(node, tagname, *args, **attributes)

    app.set_translator(app.builder.name, Tipping, override=True)


def setup(app):
    app.add_js_file("pages.js", type="text/after-paint")
    app.connect("builder-inited", _write, priority=900)
    app.connect("doctree-resolved", _tip)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
