"""How the signatures of the module are written: names without the modules that they come from,
defaults as the code has them, one parameter a line where a line would be too long, and no value of
a constant that needs more than a line.
"""

import re

from docutils import nodes
from numpy.typing import ArrayLike
from sphinx import addnodes
from sphinx.util.typing import stringify_annotation

from svdicl_lite.clipping.svd import CLIP_RATES

LINE = 76  # letters, on a desk
SETTINGS = {
    "autodoc_typehints_format": "short",
    "autodoc_preserve_defaults": True,
    "python_use_unqualified_type_names": True,
    "python_maximum_signature_line_length": LINE,
    "add_module_names": False,
}
# What Python says of an object, and what the code calls it.
OBJECT = re.compile(r"<(?:built-in )?(?:function|class) '?(?:[\w.]+\.)?(\w+)'?(?: at 0x\w+)?>")


def plain(signature: str) -> str:
    """A signature with names instead of what objects say of themselves."""
    for mode in ("smart", "fully-qualified-except-typing"):
        signature = signature.replace(stringify_annotation(ArrayLike, mode), "ArrayLike")
    signature = signature.replace(repr(CLIP_RATES), "CLIP_RATES").replace("<factory>", "...")
    return OBJECT.sub(r"\1", signature)


def _plain(app, what, name, obj, options, signature, returned):
    return signature and plain(signature), returned and plain(returned)


def _skip(app, what, name, obj, skip, options):
    """The fields of a named tuple stand in its signature; Python says no more of them."""
    return (getattr(obj, "__doc__", "") or "").startswith("Alias for field number") or None


def _shown(signature) -> str:
    """The text of a signature; a type is also there with its module, for want of a page."""
    return "".join(
        text for text in signature.findall(nodes.Text) if text.parent.get("condition") != "*"
    )


def _lay_out(app, doctree):
    for signature in doctree.findall(addnodes.desc_signature):
        for parameters in signature.findall(addnodes.desc_parameterlist):
            # Sphinx measures what autodoc hands it, with the modules that are not shown
            parameters["multi_line_parameter_list"] = len(_shown(signature)) > LINE
    for value in list(doctree.findall(addnodes.desc_annotation)):
        text = value.astext()
        if text.lstrip().startswith("=") and (len(text) > LINE or "<" in text):
            value.parent.remove(value)


def _set(app, config):
    for name, value in SETTINGS.items():
        config[name] = value


def setup(app):
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("config-inited", _set, priority=400)
    app.connect("autodoc-process-signature", _plain)
    app.connect("autodoc-skip-member", _skip)
    app.connect("doctree-read", _lay_out)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
