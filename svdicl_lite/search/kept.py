"""Clips that stay in force while others are tried after them: the state of a greedy search.

Taught in chapter 08.
"""

from contextlib import ExitStack
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Any

from torch import nn

from svdicl_lite.clipping.clip import Clip
from svdicl_lite.scoring.evaluation import Evaluation
from svdicl_lite.scoring.evaluator import FromLayer, ICLEvaluator
from svdicl_lite.search.cells import Cell
from svdicl_lite.search.journal import Journal, Scores


@dataclass(frozen=True)
class KeptClip:
    """A clip that was kept, and where it led."""

    cell: Cell
    validation: Evaluation
    guard: Evaluation | None

    def __str__(self) -> str:
        guarded = "" if self.guard is None else f", guard {self.guard.accuracy:.3f}"
        return f"{self.cell.named}: validation {self.validation.accuracy:.3f}{guarded}"


class KeptClips:
    """The clips kept so far. Use it in a `with`: within, they are in force on the model; after it,
    the model is as it was.

    What is judged is judged after them, and stands in the journal with what they are.
    """

    def __init__(self, model: nn.Module, journal: Journal | None):
        self.model, self.journal = model, journal
        self.clips: list[KeptClip] = []
        self._in_force = ExitStack()
        self._from_layer: dict[tuple[str, int], FromLayer] = {}
        self._factored: Clip | None = None  # of the place last asked for, which serves all rates
        self._place: tuple[Any, ...] | None = None

    def __enter__(self) -> "KeptClips":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.clips = []
        self._in_force.close()

    def judge(self, name: str, evaluator: ICLEvaluator, cell: Cell) -> Evaluation:
        """What the evaluator, called `name` in the journal, says of the cell."""
        key = self._key(name, evaluator) | asdict(cell)
        scores = self._remembered(key)
        if scores is None:
            place = name, cell.layer
            if place not in self._from_layer:  # made before the clip is on
                self._from_layer[place] = evaluator.from_layer(cell.layer)
            # Of a layer in which a clip was kept, another module is not all that has changed.
            has_clip = any(kept.cell.layer == cell.layer for kept in self.clips)
            changed = "all" if has_clip else cell.module
            with self._clip(cell).at(cell.clip_rate, factored=True):
                scores = self._from_layer[place](changed).scores
            self._remember(key, scores)
        return evaluator.outcome(scores)

    def test(self, test: ICLEvaluator) -> Evaluation:
        """What the test says of the clips in force."""
        key = self._key("test", test)
        scores = self._remembered(key)
        if scores is None:
            scores = test().scores
            self._remember(key, scores)
        return test.outcome(scores)

    def keep(self, kept: KeptClip) -> None:
        """Puts the clip in force for all that follows."""
        clip = self._clip(kept.cell)
        self._in_force.enter_context(clip.at(kept.cell.clip_rate, factored=True))
        self.clips.append(kept)

    def leave(self, layer: int) -> None:
        """Forgets what was computed up to this layer, to which nothing comes back."""
        for name, of in list(self._from_layer):
            if of == layer:
                del self._from_layer[name, of]

    def _clip(self, cell: Cell) -> Clip:
        if self._factored is None or self._place != cell.place:
            self._factored, self._place = cell.clip(self.model), cell.place
        return self._factored

    def _key(self, name: str, evaluator: ICLEvaluator) -> dict[str, Any]:
        after = [asdict(kept.cell) for kept in self.clips]
        return {"judge": name, "prompts": evaluator.digest, "after": after}

    def _remembered(self, key: dict[str, Any]) -> Scores | None:
        return None if self.journal is None else self.journal.get(key)

    def _remember(self, key: dict[str, Any], scores: Scores) -> None:
        if self.journal is not None:
            self.journal.add(key, scores)
