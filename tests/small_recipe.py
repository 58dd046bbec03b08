"""A recipe of pretraining too small to wait for."""

from svdicl_lite.training.recipes import Phase

PHASE = Phase(3, shots=(0, 2), canonical=0.5, flipped=0.2, kinds=("short", "hard"))
