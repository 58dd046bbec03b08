"""The cells of a table of HTML with the columns in which they stand, whatever spans others."""

from bs4 import BeautifulSoup, Tag

Row = list[tuple[int, Tag]]  # column, cell


def blank(cell: Tag) -> bool:
    """Whether a reader sees nothing in a cell."""
    return not cell.get_text().strip() and not cell.find(["img", "svg"])


def placed(rows: list[Tag]) -> list[Row]:
    """Each row's cells with the number of the column in which each begins."""
    found: list[Row] = []
    taken: dict[int, int] = {}  # column → rows below that a cell from above still fills
    for row in rows:
        at, cells = 0, []
        for cell in row.find_all(["th", "td"], recursive=False):
            while taken.get(at):
                at += 1
            cells.append((at, cell))
            at += int(cell.get("colspan", 1))
        for column in taken:
            taken[column] = max(0, taken[column] - 1)
        for begin, cell in cells:
            if (down := int(cell.get("rowspan", 1))) > 1:
                taken |= dict.fromkeys(range(begin, begin + int(cell.get("colspan", 1))), down - 1)
        found.append(cells)
    return found


class Grid:
    """A table: `heads` and `rows` with their cells, `width` in columns, `levels` of its index."""

    def __init__(self, table: Tag):
        self.table = table
        self._look()

    def _look(self) -> None:
        self.heads = [row for row in placed(self.table.select("thead > tr")) if row]
        self.rows = [row for row in placed(self.table.select("tbody > tr")) if row]
        ends = [
            at + int(cell.get("colspan", 1))
            for row in [*self.heads, *self.rows]
            for at, cell in row
        ]
        self.width = max(ends, default=0)
        self.levels = max((_leading(row) for row in self.rows), default=0)

    def column(self, at: int) -> list[Tag]:
        """The cells of the body that begin in a column."""
        return [cell for row in self.rows for begin, cell in row if begin == at]

    def names(self) -> list[str]:
        """What the last row of heads says above each column."""
        said = {at: cell.get_text(" ", strip=True) for at, cell in (self.heads or [[]])[-1]}
        return [said.get(at, "") for at in range(self.width)]

    def tag(self, name: str, text: str, kind: str | None) -> Tag:
        """A new element."""
        made = BeautifulSoup("", "html.parser").new_tag(name)
        made.string = text
        if kind:
            made["class"] = kind
        return made

    def add_head(self, name: str) -> None:
        """A row above the heads, over those that are numbers, or over all but the index."""
        begin, heads = self.levels, self.names()
        while begin < self.width - 1 and not all(_counts(head) for head in heads[begin:]):
            begin += 1
        if not _counts(heads[-1]):
            begin = self.levels
        row = self.tag("tr", "", None)
        row.append(self._empty(begin))
        cell = self.tag("th", name, None)
        if self.width - begin > 1:
            cell["colspan"] = str(self.width - begin)
        row.append(cell)
        self.table.thead.insert(0, row)
        self._look()

    def _empty(self, columns: int) -> Tag:
        made = self.tag("td", "", None)
        if columns > 1:
            made["colspan"] = str(columns)
        return made

    def drop_head(self, which: int) -> None:
        """Drops a row of heads."""
        self.heads[which][0][1].parent.decompose()
        self._look()

    def drop_first_column(self) -> None:
        """Drops the first column, which no cell may share with others but in the heads."""
        for row in [*self.heads, *self.rows]:
            at, cell = row[0]
            if at == 0 and (wide := int(cell.get("colspan", 1))) > 1:
                cell["colspan"] = str(wide - 1)
            elif at == 0:
                cell.decompose()
        self._look()


def _leading(row: Row) -> int:
    """How many cells of a row stand before its first cell of data."""
    return next((i for i, (_, cell) in enumerate(row) if cell.name != "th"), len(row))


def _counts(head: str) -> bool:
    """Whether a head is a number, as in the columns of a pivot."""
    return head.replace(".", "").isdigit()
