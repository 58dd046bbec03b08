"""What every widget shares: how its script is put together, and what stands in for it on paper and
without JavaScript.
"""

import base64
import html
import io
import re
from pathlib import Path

import anywidget
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

HERE = Path(__file__).parent


def script(name: str) -> str:
    """`name`.js as one ES module: each file that it imports (`import { … } from "./other.js";`) is
    put in the import's place, once.

    A page opened from a folder cannot import from files, so there is nothing left to import.
    """
    seen = set()

    def inlined(file: str) -> str:
        if file in seen:
            return ""
        seen.add(file)
        text = (HERE / file).read_text()
        text = re.sub(
            r'^import \{[^}]*\} from "\./([\w.]+)";\n',
            lambda found: inlined(found[1]),
            text,
            flags=re.M,
        )
        return text if file == f"{name}.js" else re.sub(r"^export ", "", text, flags=re.M)

    return inlined(f"{name}.js")


def packed(numbers, dtype="float32") -> bytes:
    """Numbers as they ride in a trait: little-endian bytes, row by row; `numbers(view,
    Float32Array)` of base.js reads them.
    """
    return np.ascontiguousarray(numbers, dtype=np.dtype(dtype).newbyteorder("<")).tobytes()


class Widget(anywidget.AnyWidget):
    """A widget with a stand-in: `figure()`, the same data as a picture that `alt()` describes, and
    `table()`, the same data in numbers.

    A page shows the widget with the table folded below it; in print, and where no script runs, the
    figure takes the widget's place. A subclass sets `_esm = script("its_name")`, tags its traits
    with `sync=True`, and defines the three.
    """

    _css = (HERE / "base.css").read_text()
    # Its height in pixels, in an article of full width and on a phone, as measured: a page keeps
    # this much free for it, so that nothing jumps when it comes.
    height = (600, 900)

    def figure(self) -> Figure:
        """The same data as a picture, for print and for pages without a script."""
        raise NotImplementedError

    def alt(self) -> str:
        """The picture told in words."""
        raise NotImplementedError

    def table(self) -> pd.DataFrame:
        """The same data in numbers, as the page folds them below the widget."""
        raise NotImplementedError

    def _repr_mimebundle_(self, **kwargs):
        data, metadata = super()._repr_mimebundle_(**kwargs)
        return {
            **data,
            "text/plain": f"{type(self).__name__}: {self.alt()}",
            "text/html": self._place() + self._stand_in(),
        }, metadata

    def _place(self) -> str:
        """Where the host of the book puts the widget (book/assets/widgets.js). Anywhere else it
        stays hidden.
        """
        wide, narrow = self.height
        size = sum(len(value) for value in self.get_state().values() if isinstance(value, bytes))
        much = f" ({size / 1e6:.1f} MB)" if size > 3e5 else ""
        return (
            f'<div class="widget waiting" hidden style="--wide: {wide}px; --narrow: {narrow}px">'
            f"<p>A figure to play with is loading{much} …</p></div>"
        )

    def _stand_in(self) -> str:
        webp = io.BytesIO()
        self.figure().savefig(webp, format="webp", dpi=110, pil_kwargs={"quality": 80})
        image = base64.b64encode(webp.getvalue()).decode()
        table = self.table().to_html(index=False, border=0, na_rep="")
        return (
            f'<div class="widget-stand-in"><img alt="{html.escape(self.alt())}"'
            f' src="data:image/webp;base64,{image}"><details><summary>The same data as a'
            f" table</summary>{table}</details></div>"
        )
