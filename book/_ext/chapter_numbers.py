"""Shows a chapter's number as the text says it and as its file has it, in two digits: 07.

`numbered: 1` in `_toc.yml` counts the chapters through all parts; figures, tables and equations
then have the chapter's number before theirs (Figure 7.2).
"""


def padded(number):
    """A section number whose first part has two digits: (7,) → ("07",)."""
    return number and (f"{int(number[0]):02d}", *number[1:])


def _pad(app, env):
    """After Sphinx has numbered chapters, and figures by them."""
    for page, numbers in env.toc_secnumbers.items():
        env.toc_secnumbers[page] = {anchor: padded(number) for anchor, number in numbers.items()}
        for node in (env.titles[page], env.longtitles[page], *env.tocs[page].findall()):
            if getattr(node, "attributes", {}).get("secnumber"):
                node["secnumber"] = padded(node["secnumber"])
    return []


def setup(app):
    app.connect("env-get-updated", _pad, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
