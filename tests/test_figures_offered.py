"""In a notebook figures are kept as SVG; elsewhere nothing is registered."""

from types import SimpleNamespace

import matplotlib_inline.backend_inline
from matplotlib.figure import Figure

from svdicl_lite import figures


def test_only_a_notebook_gets_a_way_to_show_figures(monkeypatch):
    registered = []
    formatter = SimpleNamespace(for_type=lambda *given: registered.append(given))
    shell = SimpleNamespace(display_formatter=SimpleNamespace(mimebundle_formatter=formatter))
    monkeypatch.setattr("IPython.get_ipython", lambda: shell)
    monkeypatch.setattr(matplotlib_inline.backend_inline, "set_matplotlib_formats", lambda: None)
    figures.offer()
    assert registered == []  # a shell without a kernel is a terminal
    shell.kernel = object()
    figures.offer()
    assert registered == [(Figure, figures.bundle)]
