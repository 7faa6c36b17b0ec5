"""What kind of value a pydantic model takes at a path, for tests made from the models.

A test that asks for wrong values by kind fails for a kind that it has none for:
so a new type of field cannot come in without cases.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import AfterValidator, BaseModel, BeforeValidator

Path = tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class FieldKind:
    """``kind`` is the name of the function that judges the value last, or of the type."""

    kind: str
    required: bool
    model: type[BaseModel] | None  # whose fields stand below


def at(model: type[BaseModel], path: Path) -> FieldKind:
    annotation: Any = model
    required = True
    for step in path:
        annotation, judges = _peeled(annotation)
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            field = annotation.model_fields[str(step)]
            required = field.is_required()
            annotation = typing.Annotated[(field.annotation, *field.metadata, None)]
        else:
            required = False
            annotation = typing.get_args(annotation)[-1]
    annotation, judges = _peeled(annotation)
    below = (
        annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None
    )
    origin = typing.get_origin(annotation) or annotation
    kind = judges[-1] if judges else ("table" if below else origin.__name__)
    if kind in {"section", "listing"}:
        kind = f"{kind} of {'model' if below else origin.__name__}"
    return FieldKind(kind, required, below)


def models(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """The model and all below it."""
    yield model
    for field in model.model_fields.values():
        yield from _models_in(field.annotation)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    annotation, _ = _peeled(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield from models(annotation)
    for argument in typing.get_args(annotation):
        yield from _models_in(argument)


def _peeled(annotation: Any) -> tuple[Any, list[str]]:
    """The bare type, and the names of the functions that judge it, in their order."""
    judges: list[str] = []
    while True:
        if typing.get_origin(annotation) is typing.Annotated:
            judges += [
                getattr(extra.func, "__name__", "?")
                for extra in annotation.__metadata__
                if isinstance(extra, AfterValidator | BeforeValidator)
            ]
            annotation = annotation.__origin__
        elif typing.get_origin(annotation) in (typing.Union, types.UnionType):
            annotation = next(one for one in typing.get_args(annotation) if one is not type(None))
        else:
            return annotation, judges
