"""What `cells.py` finds in a chapter's code, and where it says it is."""

import subprocess
import sys

import pytest
from test_chapters import CHAPTERS, ROOT

TOOL = ROOT / "book/_ext/cells.py"

UNFORMATTED = 'ax = os.fspath( "p" ) +sys.platform'
CHAPTER = """# A chapter

Prose   with  "quotes",    a line of it that nobody has a reason to break,
because it is prose.

```python
not=a cell
```

```{code-cell} ipython3
:tags: [hide-input]

import sys
import os

width = 3
```

```{code-cell} ipython3
---
tags: [hide-input]
mystnb:
  image:
    alt: a line of alt text that is longer than eighty-eight characters is prose too, and stays
---
ax = os.fspath( "p" ) +sys.platform
ax.title( 'width' );
```

Between.

```{code-cell} ipython3
text = f"{height} on {width}, and a sentence that goes on and on, until nobody sees its end, never"
```
"""


def run(path, *options):
    done = subprocess.run([sys.executable, TOOL, *options, path], capture_output=True, text=True)
    return done.returncode, done.stdout.replace(f"{path}:", "").strip().splitlines()


@pytest.fixture
def chapter(tmp_path):
    path = tmp_path / "chapter.md"
    path.write_text(CHAPTER)
    return path


def line_of(code):
    return CHAPTER.split("\n").index(code) + 1


def test_each_fault_is_told_by_its_line_in_the_chapter(chapter):
    status, found = run(chapter)
    assert status == 1
    told = {tuple(line.split()[:2]) for line in found}
    long_line = CHAPTER.split("\n")[-3]
    assert told == {
        (f"{line_of('import sys')}:", "I001"),
        (f"{line_of(UNFORMATTED)}:", "the"),  # cell is not formatted
        (f"{line_of(long_line)}:", "E501"),
        (f"{line_of(long_line)}:", "F821"),  # `height`; `width` comes from an earlier cell
    }
    assert chapter.read_text() == CHAPTER  # without --fix it only tells


def test_fix_repairs_the_code_and_leaves_all_else_alone(chapter):
    status, found = run(chapter, "--fix")
    assert status == 1 and len(found) == 2  # a name and a text, which only a person can mend
    expected = (
        CHAPTER.replace("import sys\nimport os", "import os\nimport sys")
        .replace(UNFORMATTED, 'ax = os.fspath("p") + sys.platform')
        .replace("ax.title( 'width' );", 'ax.title("width");')
    )
    assert chapter.read_text() == expected
    assert run(chapter, "--fix") == (status, found) and chapter.read_text() == expected


def test_a_clean_chapter_passes(chapter):
    clean = "# A chapter\n\n```{code-cell} ipython3\nwidth = 3\nwidth\n```\n"
    chapter.write_text(clean)
    assert run(chapter) == (0, [])
    assert run(chapter, "--fix") == (0, []) and chapter.read_text() == clean


def test_the_cells_of_all_chapters_are_clean():
    paths = [ROOT / f"chapters/{name}.md" for name in CHAPTERS]
    done = subprocess.run([sys.executable, TOOL, *paths], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
