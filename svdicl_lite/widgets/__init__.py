"""Figures to play with, in a notebook and, without Python, in the page that is made of it.

Each is one line in a notebook: the data are computed here, ride in the widget's traits, and its own
small JavaScript draws them.
"""

from svdicl_lite.widgets.ask_clipped import AskClippedModel
from svdicl_lite.widgets.bound_explorer import BoundExplorer
from svdicl_lite.widgets.clip_explorer import ClipExplorer
from svdicl_lite.widgets.control_comparison import ControlComparison
from svdicl_lite.widgets.depth_explorer import DepthExplorer
from svdicl_lite.widgets.gradient_step import GradientStep
from svdicl_lite.widgets.hours_memory import HoursAndMemory
from svdicl_lite.widgets.how_sure import HowSure
from svdicl_lite.widgets.rank_slider import RankSlider
from svdicl_lite.widgets.reading_and_lean import ReadingAndLean
from svdicl_lite.widgets.search_stepper import SearchStepper
from svdicl_lite.widgets.spectrum_browser import SpectrumBrowser

__all__ = [
    "AskClippedModel",
    "BoundExplorer",
    "ClipExplorer",
    "ControlComparison",
    "DepthExplorer",
    "GradientStep",
    "HoursAndMemory",
    "HowSure",
    "RankSlider",
    "ReadingAndLean",
    "SearchStepper",
    "SpectrumBrowser",
]
