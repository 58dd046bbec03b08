"""Fetches what is asked for into the cache: `python -m svdicl_lite.models smollm2-135m`."""

import sys

from svdicl_lite.models import smollm2

FETCHED = {smollm2.NAME: smollm2.folder}


def main(names: list[str]) -> int:
    """Fetches the models of these names, all if there are none; 1 with a sentence if one fails."""
    for name in names or FETCHED:
        if name not in FETCHED:
            print(f"there is no {name!r} to fetch; there is {', '.join(FETCHED)}", file=sys.stderr)
            return 1
        try:
            FETCHED[name]()
        except (OSError, ValueError) as error:
            print(error, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
