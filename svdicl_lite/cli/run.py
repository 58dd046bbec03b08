"""What the commands share: options become an experiment, work is done between a journal and its
workers, an error becomes one sentence.

Taught in chapter 13.
"""

import atexit
import gc
import sys
import time
from collections.abc import Callable

import typer


def experiment_of(
    model, task, labels, shots, seed, sets, n_validation, n_test, device, dtype
) -> Callable:
    """What makes the `Experiment`, once torch has been imported."""

    def experiment():
        from svdicl_lite.search.experiment import Experiment

        if sets < 1:
            raise ValueError(f"sets is {sets}, but must be 1 or more")
        seeds = tuple(range(seed * sets, (seed + 1) * sets))  # those of another seed are others
        return Experiment(model, task, labels, shots, seeds, n_validation, n_test, device, dtype)

    return experiment


def judges_of(experiment: Callable, *splits: str) -> dict[str, Callable]:
    """What makes the evaluator of each split, when it is wanted: a sweep needs no test."""
    return {split: lambda split=split: experiment().evaluator(split) for split in splits}


def run(
    command, work, as_json, out=None, identity=None, judges=None, journal=None, workers=None
) -> None:
    """Does `work(journal, map)` and shows its report. Broken off, it shows what is finished of what
    `judges` judge.
    """
    start, kept, code = time.monotonic(), None, 0
    atexit.register(
        gc.freeze
        # the end would look once more through a million objects of torch's and transformers' for
        # garbage: a second
    )
    try:
        from svdicl_lite.cli import report as reporting
        from svdicl_lite.search.journal import Journal
        from svdicl_lite.search.workers import workers as working

        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
        try:
            with working(workers) as map, Journal(journal, identity() if journal else {}) as kept:
                report = work(kept, map)
        except KeyboardInterrupt:
            report, code = reporting.partial(kept, judges or {}), 130
        report.show(command, time.monotonic() - start, as_json, out)
    except KeyboardInterrupt:  # while torch was being imported, or a second one
        print(f"svdicl {command}: broken off", file=sys.stderr)
        code = 130
    except (
        ValueError,
        IndexError,
        TypeError,
        OSError,
        ImportError,
        MemoryError,
        RuntimeError,
    ) as error:
        if isinstance(error, RuntimeError) and "memory" not in str(
            error
        ):  # torch's way to say it of any device; others are faults of ours
            raise
        if isinstance(error, (MemoryError, RuntimeError)):
            error = (
                f"out of memory ({str(error).partition('. ')[0][:160]}); take fewer --shots,"
                " another --device, or a smaller model"
            )
        print(f"svdicl {command}: {' '.join(str(error).split())}", file=sys.stderr)
        code = 1
    raise typer.Exit(code)


def rates_of(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(rate) for rate in text.split(","))
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is not a list of numbers such as 0,0.5,0.9", param_hint="--clip-rates"
        ) from None


def number(text: str | None) -> int | str | None:
    """The number that `text` is, or `text`."""
    return int(text) if text is not None and text.removeprefix("-").isdecimal() else text


def task_and_labels(text: str | None) -> tuple[str | None, str]:
    """TASK:LABELS, or TASK alone, in which a colon may be part of a path."""
    task, colon, labels = (text or "").rpartition(":")
    return (
        (task, labels)
        if colon and labels in ("canonical", "flipped", "arbitrary")
        else (text, "canonical")
    )
