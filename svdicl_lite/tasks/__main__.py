"""Fetches real texts into the cache: `python -m svdicl_lite.tasks movies`; all without a name."""

import sys

from svdicl_lite.tasks import real


def main(names: list[str]) -> int:
    """Loads the real tasks of these names, which fetches them; 1 with a sentence if one fails."""
    for name in names or real.REAL_TASKS:
        if not real.is_real(name):
            known = ", ".join(real.REAL_TASKS)
            print(f"there are no real texts {name!r} to fetch; there are {known}", file=sys.stderr)
            return 1
        try:
            task = real.load(name)
        except (OSError, ValueError) as error:
            print(error, file=sys.stderr)
            return 1
        sizes = ", ".join(f"{split} {len(part):,}" for split, part in task.splits.items())
        print(f"{name}: {sizes}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
