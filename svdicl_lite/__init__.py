"""SVD clipping of transformers and what it does to in-context learning; the module under the book of the same repository.

Import what you need: `from svdicl_lite import tasks, zoo`, `from svdicl_lite.search import search_clip_rate`. Nothing is loaded
before that.
"""

from importlib.metadata import version

__version__ = version("svdicl-lite")
