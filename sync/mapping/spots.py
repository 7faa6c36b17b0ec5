"""Where in the files something stands that only a live system could tell is wrong.

A mapping that was read keeps the line of each assignment and nothing of the columns:
of a hundred thousand lines few are ever asked for. Here they are looked up again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sync.mapping.checking import Path
from sync.mapping.problems import shortened
from sync.mapping.reading import ACCOUNTS, CHANNELS, CUSTOMERS, CUSTOMERS_TABLE, FILES
from sync.mapping.tables import cells_of, columns_of, place_in
from sync.mapping.tree import Items, Node, Scalar, Table, at, key_at, parse


@dataclass(frozen=True, slots=True)
class Spot:
    """A place to jump to, all from 1, and what is written there, shortened."""

    file: str
    line: int = 1
    column: int = 1
    text: str = ""


class Spots:
    """Looks places up in one set of files."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self._files = {name: text.removeprefix("\ufeff") for name, text in files.items()}
        self._lines = self._files.get(CUSTOMERS_TABLE, "").split("\n")
        self._columns = columns_of(self._files.get(CUSTOMERS_TABLE, ""))
        self._trees: dict[str, Node | None] = {}
        self._entries: dict[int, list[Table]] | None = None

    def of(self, place: str, path: Path, text: str = "") -> Spot:
        """The spot of a finding: its ``place``, as "customers.csv:7" or a file, and the
        ``path`` in there; of an assignment the path is the name of its field, and ``text``
        what stands in it.

        A path that does not lead anywhere ends at what is nearest above it. Of what
        stands in no file that is there, the spot is the beginning of one that is.
        """
        file, _, number = place.rpartition(":")
        if number.isdigit():
            return self._of_assignment(file, int(number), str(path[0]) if path else "", text)
        if place in self._files:
            return self._of_path(place, path)
        order = (CUSTOMERS, CUSTOMERS_TABLE, CHANNELS, ACCOUNTS, *FILES)
        there = next((name for name in order if name in self._files), CHANNELS)
        return Spot(there)

    def _of_assignment(self, file: str, line: int, field: str, text: str) -> Spot:
        if file == CUSTOMERS_TABLE:
            return self._of_cell(line, field)
        nodes = [
            node
            for entry in self._by_line(file).get(line, ())
            if isinstance(node := entry.values.get(field), Scalar)
        ]
        node = next((each for each in nodes if each.text == text), nodes[0] if nodes else None)
        return Spot(file, line) if node is None else _spot(file, node, node)

    def _of_cell(self, line: int, field: str) -> Spot:
        columns, separator = self._columns
        written = self._lines[line - 1] if line <= len(self._lines) else ""
        cells = cells_of(written.removesuffix("\r"), separator)
        if field not in columns or cells is None or columns.index(field) >= len(cells):
            return Spot(CUSTOMERS_TABLE, line)
        index = columns.index(field)
        column = place_in(written, separator, index)
        return Spot(CUSTOMERS_TABLE, line, column, shortened(cells[index]))

    def _by_line(self, file: str) -> Mapping[int, list[Table]]:
        """The assignments of the YAML file by the line of their customer ID."""
        if self._entries is None:
            self._entries = {}
            tree = self._tree(file)
            entries = at(tree, ("assignments",)) if tree is not None else None
            for entry in entries.items if isinstance(entries, Items) else ():
                if isinstance(entry, Table) and "customer_id" in entry.values:
                    line = entry.values["customer_id"].line
                    self._entries.setdefault(line, []).append(entry)
        return self._entries

    def _of_path(self, file: str, path: Path) -> Spot:
        tree = self._tree(file)
        if tree is None:
            return Spot(file)
        while path and at(tree, path) is at(tree, path[:-1]):
            path = path[:-1]  # nothing stands there
        node = at(tree, path)
        return _spot(file, node, node if isinstance(node, Scalar) else key_at(tree, path))

    def _tree(self, file: str) -> Node | None:
        if file not in self._trees:
            self._trees[file] = parse(file, self._files.get(file, ""))[0]
        return self._trees[file]


def _spot(file: str, node: Node, written: Scalar | None) -> Spot:
    place = written or node
    return Spot(file, place.line, place.column, shortened(written.text) if written else "")
