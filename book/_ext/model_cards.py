"""The cards of the shipped models, for `book/models.md`: what each is for, a picture of what it can
do, the facts in a line; folded below, how it was trained and every test figure.

`% gathered models` gives way to them. What a model is for stands in the page itself, in lines that
begin with `% NAME: `; all else is read from the card that training wrote beside the weights.
"""

import re
from pathlib import Path

from gathered import captioned
from model_pictures import ability, curve

from svdicl_lite import numbers
from svdicl_lite.models.loading import model_card, shipped_models

PURPOSE = re.compile(r"^% ([\w-]+): (.+)\n", re.MULTILINE)
SHOWN = (  # what says which case a test figure is of
    "register",
    "task",
    "labels",
    "table",
    "by",
    "context",
    "clip",
    "shots",
    "examples",
    "level",
)


def purposes(page: str) -> dict[str, str]:
    """What each model is for, by name. Raises ValueError if a shipped one is left out."""
    found = dict(PURPOSE.findall(page))
    if found.keys() != set(shipped_models()):
        odd = ", ".join(sorted(found.keys() ^ set(shipped_models())))
        raise ValueError(
            f"book/models.md says what each shipped model is for, but differs in {odd}"
        )
    return found


def overview(cards: dict[str, dict], said: dict[str, str]) -> str:
    """A table of all models, each with a link to its card."""
    rows = [
        {
            "model": f"{{ref}}`{name} <card-{name}>`",
            "what it is for": said[name],
            "made from": card["recipe"].get("start_from") or "–",
            "weights": f"{card['parameters']:,}",
        }
        for name, card in cards.items()
    ]
    return captioned("The models that are shipped. Each has a card below.", "tbl-models", rows)


def facts(card: dict) -> str:
    """Size, origin and cost of a model, in a line."""
    base, threads = card["recipe"].get("start_from"), card["threads"]
    of_cpu = f" ({card['cpu_seconds']:,} s of CPU)" if "cpu_seconds" in card else ""
    return " · ".join(
        [
            f"{card['parameters']:,} weights",
            f"made from {{ref}}`{base} <card-{base}>`" if base else "made from random weights",
            f"seed {card['recipe']['seed']}",
            f"{card['seconds']:,} s{of_cpu} on {threads} thread{'s' * (threads > 1)} of a CPU",
            f"torch {card['torch'].partition('+')[0]}, transformers {card['transformers']}",
        ]
    )


def model(name: str, card: dict, purpose: str, folder: Path) -> str:
    """One card, in Markdown; its pictures are written into `folder`."""
    figure = folder / f"ability_{name}.svg"
    caption, told = ability(name, card, figure)
    lines = [f"(card-{name})=", f"### {name}", "", f"It {purpose[0].lower()}{purpose[1:]}.", ""]
    lines += ["{.model-facts}", facts(card), ""]
    lines += [f":::{{figure}} ../{figure.name}", f":alt: {told}", "", caption, ":::", ""]
    lines += ["::::{admonition} How it was trained", ":class: dropdown", ""]
    lines += [*recipe(name, card["recipe"]), *_curve(name, card, folder), "::::", ""]
    return "\n".join([*lines, *tests(name, card["test"])])


def _curve(name: str, card: dict, folder: Path) -> list[str]:
    if len(card["curve"]) < 4:  # two or three dots are no curve
        return []
    figure = folder / f"curve_{name}.svg"
    told = curve(card["curve"], figure)
    on = f" ($n$ = {card['curve_n']} validation examples a dot)" if "curve_n" in card else ""
    caption = f"`{name}` while it was trained{on}."
    return [f":::{{figure}} ../{figure.name}", f":alt: {told}", "", caption, ":::", ""]


def recipe(name: str, settings: dict) -> list[str]:
    """The settings of a training as tables, its phases upright."""
    plain = {key: value for key, value in settings.items() if key not in ("phases", "stages")}
    rows = [{"setting": key, "value": value} for key, value in plain.items()]
    lines = ["", captioned(f"Settings with which `{name}` was trained.", f"tbl-{name}-set", rows)]
    phases = settings.get("phases") or settings.get("stages", [])
    runs = phases if phases and isinstance(phases[0], list) else [phases]
    for at, run in enumerate(run for run in runs if run and isinstance(run[0], dict)):
        stage = f" in stage {at + 1}" if len(runs) > 1 else ""
        said = f"Phases{stage} of the training of `{name}`, in order."
        upright = [
            {"phase": key, **{str(i): phase[key] for i, phase in enumerate(run, start=1)}}
            for key in run[0]
        ]
        lines += ["", captioned(said, f"tbl-{name}-phases-{at + 1}", upright)]
    if phases and not isinstance(phases[0], (dict, list)):
        lines += ["", f"Stages end at the steps {', '.join(map(str, phases))}."]
    return [*lines, ""]


def tests(name: str, test) -> list[str]:
    """Every test figure, with its number of examples and its interval, folded."""
    if isinstance(test, dict):  # by stage: what follows the most examples
        rows = [{"who": who, **measured[-1]} for who, measured in test.items()]
        measure = "error"
    else:
        rows, measure = test, "accuracy"
    shown = [
        {
            **{key: row[key] for key in ("who", *SHOWN) if key in row},
            "n": f"{row['n']:,}",
            measure: numbers.estimate(row[measure], (row["low"], row["high"])),
        }
        for row in rows
    ]
    said = f"All test figures of `{name}`, each with its 95 % interval."
    fold = ["::::{admonition} All test figures", ":class: dropdown", ""]
    return [*fold, captioned(said, f"tbl-{name}-test", shown), "", "::::", ""]


def gathered(page: str, folder: Path) -> str:
    """The page with its table and its cards."""
    said = purposes(page)
    cards = {name: model_card(name) for name in shipped_models()}
    made = [model(name, card, said[name], folder) for name, card in cards.items()]
    page = PURPOSE.sub("", page).replace("% gathered overview", overview(cards, said))
    return page.replace("% gathered models", "\n".join(made))


def setup(app):
    def gather(app, docname, source):
        if docname == "book/models":
            source[0] = gathered(source[0], Path(app.srcdir))

    app.connect("source-read", gather)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
