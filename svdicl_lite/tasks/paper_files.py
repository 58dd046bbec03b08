"""The paper's data sets as files: fetched from the hub or read from a local copy, and looked at.

Taught in chapter 03.
"""

from pathlib import Path
from typing import Any

from svdicl_lite.tasks.paper_sets import PaperTask
from svdicl_lite.tasks.task import template_fields


def columns_of(paper: PaperTask) -> list[str]:
    """The text columns of a data set: those of its template, then its options."""
    return [field for field in template_fields(paper.template) if field != "label"] + list(
        paper.options
    )


def fetch(name: str, paper: PaperTask, source: str | Path | None) -> Any:
    """The data set as the hub has it, or a local folder with the same files."""
    import datasets

    if source is None:
        _ask_the_hub(name, paper)
    elif not (folder := Path(source) / paper.folder).is_dir():
        raise FileNotFoundError(
            f"there is no folder {str(folder)!r}; it should hold the parquet files of"
            f" {paper.repository}/{paper.folder}"
        )
    quiet = datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        return datasets.load_dataset(
            str(source or paper.repository),
            data_dir=paper.folder,
            revision=None if source else paper.revision,
        )
    except Exception as error:
        if source is not None:
            raise ValueError(
                f"the files in {str(folder)!r} cannot be read ({_first_line(error)}); fetch them"
                " again"
            ) from error
        raise OSError(
            f"cannot load {name!r} from {paper.repository} ({_first_line(error)}); its offline twin"
            f" {paper.twin!r} needs no network"
        ) from error
    finally:
        if not quiet:
            datasets.enable_progress_bars()


def _ask_the_hub(name: str, paper: PaperTask) -> None:
    """One quick question, because `load_dataset` asks again and again for most of a minute; none if
    it was fetched before.
    """
    import datasets
    from huggingface_hub import file_exists

    if (Path(datasets.config.HF_DATASETS_CACHE) / paper.repository.replace("/", "___")).is_dir():
        return
    try:
        file_exists(
            paper.repository, ".gitattributes", repo_type="dataset", revision=paper.revision
        )
    except Exception as error:
        raise OSError(
            f"cannot load {name!r} (the hub cannot be reached: {_first_line(error)}); its offline"
            f" twin {paper.twin!r} needs no network"
        ) from error


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0][:120]}"


def read(
    name: str, paper: PaperTask, split: str, data: Any, columns: list[str]
) -> list[dict[str, Any]]:
    """The rows of a split with texts stripped and labels as classes, after a look at whether they
    are what the hub's are.
    """
    missing = [column for column in [*columns, "label"] if column not in data.column_names]
    if missing:
        has = ", ".join(data.column_names)
        raise ValueError(
            f"{name}'s {split} split has no column {missing[0]!r}, only {has}; it should be as in"
            f" {paper.repository}"
        )
    names = getattr(data.features["label"], "names", None)
    if names is not None and tuple(names) != paper.hub_labels:
        raise ValueError(
            f"{name}'s labels are {', '.join(names)}, but should be {', '.join(paper.hub_labels)}"
            f" as in {paper.repository}"
        )
    labels = data["label"][:]
    unknown = {label for label in labels if label not in range(len(paper.hub_labels))}
    if unknown:
        raise ValueError(
            f"{name}'s {split} split has a label {unknown.pop()!r}, but labels go from 0 to"
            f" {len(paper.hub_labels) - 1} (−1: hidden)"
        )
    class_of = paper.class_of or range(len(paper.hub_labels))
    texts = [
        ["" if text is None else str(text).strip() for text in data[column]] for column in columns
    ]
    return [
        {**dict(zip(columns, row)), "label": class_of[label]} for *row, label in zip(*texts, labels)
    ]
