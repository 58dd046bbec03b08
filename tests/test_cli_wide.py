"""A sweep's table fits the terminal, with every digit that counts."""

import re
from collections import Counter

import pytest
from command_line import SMALL, answer, run

from svdicl_lite.cli.tables import fitted, width_of

RATES = "0 0.1 0.5 0.75 0.9 0.95 0.99 0.995".split()


def swept(n_layers, n_modules):
    return [
        {
            "module": module,
            "layer": str(layer),
            **{f"ξ = {rate}": f"0.{layer + 10}{i}7" for i, rate in enumerate(RATES)},
        }
        for module in ("mlp", "attn")[:n_modules]
        for layer in range(n_layers)
    ]


@pytest.mark.parametrize("width", [200, 80, 60, 40, 30])
@pytest.mark.parametrize("n_layers, n_modules", [(4, 2), (4, 1), (30, 2)])
def test_a_sweep_fits_whatever_the_width_with_every_digit(width, n_layers, n_modules):
    rows = swept(n_layers, n_modules)
    parts = fitted(rows, width, 2)
    assert all(width_of(part) <= width for part in parts)
    shown = sorted(cell for part in parts for row in part for cell in row.values())
    for cell in (cell for row in rows for cell in list(row.values())[2:]):
        assert cell in shown
    assert width != 200 or parts == [rows]


def test_a_table_is_turned_round_where_that_fits():
    rows = swept(4, 1)
    (part,) = fitted(rows, 60, 2)
    assert list(part[0]) == ["module layer", *(f"mlp {layer}" for layer in range(4))]
    assert [row["mlp 2"] for row in part] == list(rows[2].values())[2:]


def test_ends_of_intervals_go_before_digits():
    rows = [
        {"ξ": rate, "validation accuracy": "0.512 [0.410, 0.613]", "n": "200", "": ""}
        for rate in RATES
    ]
    assert fitted(rows, 41) == [rows]
    (part,) = fitted(rows, 40)
    assert part == [row | {"validation accuracy": "0.512"} for row in rows]


def test_on_a_narrow_terminal_nothing_of_a_sweep_is_cut(tiny, monkeypatch):
    command = ["sweep", "--model", tiny, *SMALL, "--clip-rates", ",".join(RATES)]
    wanted = Counter(f"{cell['accuracy']:.4g}" for cell in answer(*command)["cells"])
    monkeypatch.setenv("FORCE_COLOR", "1")  # as good as a terminal
    for width in (80, 40):
        monkeypatch.setenv("COLUMNS", str(width))
        shown = re.sub(r"\x1b\[[0-9;]*m", "", run(*command).stdout)
        table = [line for line in shown.splitlines() if line and line[0] in "┏┃┡│└"]
        assert max(map(len, table)) <= width
        cells = Counter(cell.strip() for line in table for cell in line.split("│"))
        assert wanted <= cells and wanted.total() == 48
