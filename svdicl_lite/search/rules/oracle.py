"""The rule that looks everywhere: the layer of the cell that is best on validation.

It costs a whole sweep, and shows what all cheaper rules are after. Best of many on the same prompts
is too good to be true: only test says what it gains. Taught in chapter 08.
"""

import pandas as pd
from tqdm import tqdm

from svdicl_lite.clipping.matrices import n_layers
from svdicl_lite.scoring.reading import check_choose_by, score_of
from svdicl_lite.search.cells import Cell, judged
from svdicl_lite.search.checks import check_cells
from svdicl_lite.search.rules.question import Question, Rule


def scores(question: Question) -> pd.DataFrame:
    """The validation score (`choose_by`) of every layer, module and clip rate."""
    validation = question.evaluator("oracle", "labelled prompts to judge cells by")
    check_choose_by(question.choose_by)
    cells = [
        Cell(layer, module, rate, question.expert)
        for module in question.modules
        for layer in range(n_layers(question.model))
        for rate in question.rates
    ]
    check_cells(question.model, cells)
    work = judged(validation, cells, question.journal, question.map)
    found = dict(tqdm(work, "oracle", len(cells), unit="cell", disable=None))
    rows = [
        {
            "layer": cell.layer,
            "module": cell.module,
            "clip_rate": cell.clip_rate,
            "score": score_of(found[cell], question.choose_by),
        }
        for cell in cells
    ]
    return pd.DataFrame(rows)


RULE = Rule(scores, "labels", "the best of all on validation, at the cost of a sweep")
