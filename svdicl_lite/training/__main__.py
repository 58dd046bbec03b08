"""`python -m svdicl_lite.training NAME` trains one shipped model again; `all` trains every one."""

import argparse

from svdicl_lite.training.pretrain import make
from svdicl_lite.training.recipes import OTHERS, RECIPES

parser = argparse.ArgumentParser(description="Trains a shipped model; `all` trains every one.")
parser.add_argument("name", choices=[*RECIPES, *OTHERS, "all"])
chosen = parser.parse_args().name
for name in [*RECIPES, *OTHERS] if chosen == "all" else [chosen]:
    make(name)
