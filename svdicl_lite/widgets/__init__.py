"""Figures to play with, in a notebook and, without Python, in the page that is made of it.

Each is one line in a notebook: the data are computed here, ride in the widget's traits, and its own small JavaScript draws them.
"""

from svdicl_lite.widgets.ask_clipped import AskClippedModel
from svdicl_lite.widgets.rank_slider import RankSlider

__all__ = ["AskClippedModel", "RankSlider"]
