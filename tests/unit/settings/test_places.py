"""Lines and columns of a TOML file, which the standard reader does not tell."""

from __future__ import annotations

import tomllib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sync.settings.places import places
from tests.unit.settings.samples import Emitter

TEXT = '''\
top = 1  # a = 2
[a]
b.c = "x # y"
"quoted key" = [1, [2, "]"],
  { k = 1 }]
[a.d]
e = { f = "}", g.h = [ ] }
m = """
[not.a.table]
x = 1"""
l = 'a\\'
[[list]]
x = 1
[[list]]
x = 2
[list.sub]
y = 1979-05-27 07:32:00
'''


def test_every_way_to_write_a_key_is_found() -> None:
    found = places(TEXT)
    assert tomllib.loads(TEXT)
    assert found.keys == {
        ("top",): (1, 1),
        ("a",): (2, 2),
        ("a", "b"): (3, 1),
        ("a", "b", "c"): (3, 3),
        ("a", "quoted key"): (4, 1),
        ("a", "quoted key", 2, "k"): (5, 5),
        ("a", "d"): (6, 4),
        ("a", "d", "e"): (7, 1),
        ("a", "d", "e", "f"): (7, 7),
        ("a", "d", "e", "g"): (7, 16),
        ("a", "d", "e", "g", "h"): (7, 18),
        ("a", "d", "m"): (8, 1),
        ("a", "d", "l"): (11, 1),
        ("list",): (12, 3),
        ("list", 0): (12, 3),
        ("list", 0, "x"): (13, 1),
        ("list", 1): (14, 3),
        ("list", 1, "x"): (15, 1),
        ("list", 1, "sub"): (16, 7),
        ("list", 1, "sub", "y"): (17, 1),
    }
    assert found.value(("a", "quoted key", 1, 1)) == (4, 24)
    assert found.value(("a", "d", "nothing", "here")) == (6, 4)
    assert found.value(()) == (1, 1)


_KEYS = st.text("abcxyz_", min_size=1, max_size=5)
_VALUES: st.SearchStrategy[Any] = st.one_of(
    st.text("ab\"'#=[]{}\n\\ ", max_size=8), st.lists(st.text("a,]\"' ", max_size=4), max_size=3)
)
_TABLES: st.SearchStrategy[dict[str, Any]] = st.recursive(
    st.dictionaries(_KEYS, _VALUES, max_size=4),
    lambda below: st.dictionaries(_KEYS, st.one_of(_VALUES, below), max_size=4),
    max_leaves=12,
)


@given(_TABLES)
def test_the_line_of_every_key_is_found_whatever_the_values_hold(data: dict[str, Any]) -> None:
    emitter = Emitter()
    emitter.emit(data)
    assert tomllib.loads(emitter.text) == data
    found = places(emitter.text)
    for path, line in emitter.line_of.items():
        assert found.value(path)[0] == line
