"""Holds a tree against a model, and tells every misfit with its place in the file.

What fits is kept even where something else does not, so that one wrong channel
does not hide what is wrong between the files.
"""

from __future__ import annotations

import typing
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from sync.mapping.problems import FileProblem, shortened, suggestion
from sync.mapping.tree import Items, Node, Scalar, Table, at, key_at, plain
from sync.mapping.words import REFUSED

M = TypeVar("M", bound=BaseModel)
Path = tuple[int | str, ...]

_KEY = "[key]"  # pydantic's last step where the key itself is wrong


def checked(model: type[M], file: str, tree: Node) -> tuple[M | None, Node, list[FileProblem]]:
    """What of the tree fits the model, the tree cut down to that, and the problems."""
    try:
        return model.model_validate(plain(tree)), tree, []
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
    problems = [_problem(model, file, tree, one) for one in details]
    kept = _without(tree, {_unit(tree, one["loc"]) for one in details})
    if kept is None:
        return None, tree, problems
    try:
        return model.model_validate(plain(kept)), kept, problems
    except ValidationError:
        return None, tree, problems


def label(path: Path) -> str:
    """The path as people write it: ``channels.web.currencies[2]``, counted from 1."""
    shown = ""
    for step in path:
        if isinstance(step, int):
            shown += f"[{step + 1}]"
        else:
            shown += f".{shortened(step)}" if shown else shortened(step)
    return shown


def explained(model: type[BaseModel], error: ErrorDetails) -> tuple[str, str]:
    """Why it is refused, to follow the field's name, and what to do."""
    context = error.get("ctx", {})
    path = error["loc"]
    match error["type"]:
        case kind if kind == REFUSED:
            return context["message"], context["remedy"]
        case "missing":
            return "is missing", f"write {path[-1]}: ..."
        case "extra_forbidden":
            return "is not known here", suggestion(str(path[-1]), _known(model, path[:-1]))
        case "too_short":
            return "is empty", "write at least one"
        case "list_type":
            return "is not a list", "write [one, two], or one line with a dash for each"
        case "dict_type" | "model_type":
            return "is not a group of fields", "write its fields below it, indented"
        case "string_type":
            return "is not a single text", "put it in quotes"
    return f"is refused: {error['msg']}", "correct it"


def _problem(model: type[BaseModel], file: str, tree: Node, error: ErrorDetails) -> FileProblem:
    path = error["loc"]
    about_key = bool(path) and path[-1] == _KEY
    if about_key:
        path = path[:-1]
    message, remedy = explained(model, error)
    node = at(tree, path)
    place: Node = node
    if about_key or error["type"] == "extra_forbidden":
        place = key_at(tree, path) or node
    written = shortened(place.text) if isinstance(place, Scalar) else ""
    named = f"the key in {label(path[:-1])}" if about_key else label(path) or "the file"
    if error["type"] == "missing":
        written = ""
    return FileProblem(file, place.line, place.column, written, f"{named} {message}", remedy)


def _known(model: type[BaseModel], path: Path) -> list[str]:
    """The fields that may stand under this path."""
    kind: Any = model
    for step in path:
        kind = _below(kind, step)
        if kind is None:
            return []
    kind = _bare(kind)
    return list(kind.model_fields) if _is_model(kind) else []


def _below(kind: Any, step: int | str) -> Any:
    kind = _bare(kind)
    if _is_model(kind):
        field = kind.model_fields.get(step)
        return field.annotation if field is not None else None
    arguments = typing.get_args(kind)
    return arguments[-1] if arguments else None


def _bare(kind: Any) -> Any:
    return typing.get_args(kind)[0] if typing.get_origin(kind) is typing.Annotated else kind


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _unit(tree: Node, path: Path) -> Path:
    """What to leave out for an error: one entry of a section, or a whole field."""
    unit = path[:2] if isinstance(at(tree, path[:1]), Table | Items) else path[:1]
    return unit if unit and at(tree, unit) is not at(tree, unit[:-1]) else path[:1]


def _without(tree: Node, units: set[Path]) -> Node | None:
    """The tree without these entries; None where the whole file is meant."""
    if () in units or not isinstance(tree, Table):
        return None
    kept = Table(tree.line, tree.column)
    for key, value in tree.values.items():
        if (key,) in units:
            continue
        kept.keys[key] = tree.keys[key]
        kept.values[key] = _cut(value, {unit[1] for unit in units if unit[0] == key and unit[1:]})
    return kept


def _cut(node: Node, left_out: set[int | str]) -> Node:
    if isinstance(node, Items):
        items = [item for index, item in enumerate(node.items) if index not in left_out]
        return Items(node.line, node.column, items)
    if isinstance(node, Table):
        keys = [key for key in node.keys if key not in left_out]
        return Table(
            node.line,
            node.column,
            {key: node.keys[key] for key in keys},
            {key: node.values[key] for key in keys},
        )
    return node
