"""The quick ways through large files say what the careful ones say."""

from __future__ import annotations

import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from sync.mapping.tables import place_in, read_table, spans_of
from sync.mapping.tree import Scalar, Table, parse

CELLS = st.lists(st.text("abE+-=@. 09,;\t\"'\u00e9#", max_size=6), min_size=1, max_size=5)


@given(CELLS, st.sampled_from([",", ";", "\t"]), st.integers(0, 6))
def test_a_cell_begins_where_its_span_does(cells: list[str], separator: str, index: int) -> None:
    text = separator.join(cells)
    spans = spans_of(text, separator)
    assert place_in(text, separator, index) == spans[min(index, len(spans) - 1)][0] + 1


@given(st.text("aE+-=@.0 :/_\u00e9!|(", max_size=8), st.sampled_from([",", ";"]))
@example("-1|x", ",")
@example("", ",")
def test_a_plain_line_is_judged_as_the_same_line_with_a_note_that_is_not(
    cell: str, separator: str
) -> None:
    """A letter beyond ASCII in the note makes the whole line go the careful way."""
    judged = []
    for note in ("plain", "pl\u00e4in"):
        line = separator.join(("u-1", cell, note))
        header = separator.join(("user", "customer_id", "note"))
        rows, problems = read_table("customers.csv", f"{header}\n{line}\n")
        told = [(each.message, each.column, each.remedy) for each in problems]
        judged.append(([each[:4] + each[5:7] for each in rows], told))
    assert judged[0] == judged[1]


@given(st.text("aenoyNOTF~=<0123456789.:-+_x ", min_size=1, max_size=8))
@example("yes")
@example("~")
@example("")
@example("=")
@example("<<")
@example(".inf")
@example("0x1F")
def test_plain_text_is_what_yaml_resolves_it_to(written: str) -> None:
    try:
        node = yaml.compose(f"key: {written}\n", Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        return
    assert node is not None
    value = node.value[0][1]
    tree, _ = parse("x.yaml", f"key: {written}\n")
    if not isinstance(value, yaml.ScalarNode) or not isinstance(tree, Table):
        return
    found = tree.values["key"]
    assert isinstance(found, Scalar)
    assert found.kind == value.tag.removeprefix("tag:yaml.org,2002:")
