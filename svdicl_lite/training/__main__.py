"""`python -m svdicl_lite.training NAME` trains one shipped model again; `all` trains every one."""

import argparse

from svdicl_lite.training.shipped import MAKERS


def main() -> None:
    """Trains what the command line names."""
    parser = argparse.ArgumentParser(
        prog="python -m svdicl_lite.training",
        description="Trains a shipped model; `all` trains every one.",
    )
    parser.add_argument("name", choices=[*MAKERS, "all"])
    chosen = parser.parse_args().name
    for name in MAKERS if chosen == "all" else [chosen]:
        MAKERS[name]()


if __name__ == "__main__":
    main()
