"""Tasks: what is asked, in which words, on which splits; our own worlds, the paper's data sets,
yours.
"""
