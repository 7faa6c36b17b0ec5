"""Reads imports without running anything, and judges them by layer.

Imports point inward: ``cli -> bootstrap -> flows -> planning, ports -> domain``.
A type-only import counts like any other: a module that must know another
layer's types depends on that layer.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("sync", "erp_adapters")
ODBC = frozenset({"pyodbc", "arrow_odbc"})

# The only modules that may look a module up by its name. The command line does
# so for its own sub-commands, which keeps --help quick.
BY_NAME = frozenset({"sync.bootstrap", "sync.cli.main"})
_LOOKS_UP = frozenset(
    {
        "__import__",
        "importlib.import_module",
        "importlib.entry_points",
        "importlib.metadata.entry_points",
    }
)


@dataclass(frozen=True, slots=True)
class Import:
    """One import: the dotted name asked for, and whether it runs at import time."""

    name: str
    line: int
    deferred: bool  # inside a function
    typing_only: bool = False  # under `if TYPE_CHECKING`

    def within(self, package: str) -> bool:
        return self.name == package or self.name.startswith(package + ".")

    @property
    def top(self) -> str:
        return self.name.partition(".")[0]


@dataclass(frozen=True, slots=True)
class Source:
    """A module's dotted name and its text."""

    module: str
    text: str
    is_package: bool = False

    def imports(self) -> Iterator[Import]:
        yield from _imports(ast.parse(self.text), self, deferred=False, typing_only=False)


@dataclass(frozen=True, slots=True)
class Layer:
    """What a package may import besides the standard library and itself."""

    package: str
    project: tuple[str, ...] = ()
    third_party: frozenset[str] | None = frozenset()  # None: any


_OUTSIDE = ("erp_adapters", "sync.files", "sync.stores")
_PURE = ("sync.columnar", "sync.domain", "sync.errors", "sync.ports", "sync.secrecy")
_FLOWING = (*_PURE, "sync.planning", "sync.routing", "sync.admission", "sync.applying")
_FLOW_LIBRARIES = frozenset({"structlog", "tenacity"})
_ARROW = frozenset({"pyarrow", "xxhash"})

LAYERS = (
    Layer("sync.domain"),
    Layer("sync.secrecy"),
    Layer("sync.errors", ("sync.domain", "sync.secrecy")),
    Layer("sync.rules"),
    Layer("sync.columnar", ("sync.domain", "sync.errors"), _ARROW),
    # Of Arrow the ports know the name of a table, for the types, and nothing else.
    Layer("sync.ports", ("sync.domain", "sync.errors"), frozenset({"pyarrow"})),
    Layer("sync.kit", ("sync.domain", "sync.errors", "sync.secrecy"), None),
    Layer("sync.routing", _PURE),
    Layer("sync.admission", _PURE),
    Layer("sync.planning", (*_PURE, "sync.routing"), _ARROW),
    Layer("sync.applying", _FLOWING, _FLOW_LIBRARIES),
    # Of the kit the flows know how several things are done at once, and no system.
    Layer("sync.flows", (*_FLOWING, "sync.kit.pacing", "sync.kit.pool"), _FLOW_LIBRARIES),
    Layer("sync.systems", (*_PURE, "sync.kit", "sync.logs"), frozenset({"structlog"})),
    Layer("sync.state", (*_PURE, "sync.kit"), None),
    Layer("sync.mapping", (*_PURE, "sync.routing"), None),
    Layer(
        "sync.testing",
        (*_PURE, "sync.flows", "sync.kit", "sync.planning", "sync.routing", "sync.admission"),
        frozenset({"pytest", "hypothesis", "pyarrow"}),
    ),
)

# What an adapter or a store may see; each is a layer of its own, by its folder.
OUTER = ("sync.columnar", "sync.domain", "sync.ports", "sync.kit", "sync.errors")


def sources() -> list[Source]:
    """Every module of the project, by name."""
    found = []
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            is_package = parts[-1] == "__init__"
            name = ".".join(parts[:-1] if is_package else parts)
            found.append(Source(name, path.read_text(encoding="utf-8"), is_package))
    return found


def violations(source: Source) -> list[str]:
    """What this module imports against the rules: where, what and why not."""
    found = []
    for one in source.imports():
        reason = _layer_reason(source, one) or _by_name_reason(source, one)
        if reason:
            found.append(f"{source.module}:{one.line} imports {one.name}: {reason}")
    return found


def odbc_violations(source: Source) -> list[str]:
    """ODBC wheels fail to import without a driver manager, so only use may import them."""
    found = []
    for one in source.imports():
        if one.top not in ODBC:
            continue
        where = f"{source.module}:{one.line} imports {one.name}"
        if not (_within(source.module, "erp_adapters.sql") or source.module == "sync.kit.odbc"):
            found.append(f"{where}: only sync.kit.odbc and erp_adapters.sql may")
        elif not one.deferred and not one.typing_only:
            found.append(f"{where}: move it into the function that needs it")
    return found


def _layer_reason(source: Source, one: Import) -> str | None:
    layer = _layer(source)
    if one.name == "sync.__version__":
        return None
    if one.top in PACKAGES:
        if layer is None:
            return _free_reason(source, one)
        if one.within(layer.package) or any(one.within(allowed) for allowed in layer.project):
            return None
        return f"{layer.package} may see only {', '.join(layer.project) or 'the standard library'}"
    if one.top in sys.stdlib_module_names or layer is None or layer.third_party is None:
        return None
    if one.top in layer.third_party:
        return None
    return f"{layer.package} may use no such library"


def _layer(source: Source) -> Layer | None:
    """The module's layer; None where no row of the table speaks of it."""
    for outside in _OUTSIDE:
        if source.module == outside:
            return Layer(f"the registry of {outside}")
        if _within(source.module, outside):
            depth = outside.count(".") + 2
            return Layer(".".join(source.module.split(".")[:depth]), OUTER, None)
    for layer in LAYERS:
        if _within(source.module, layer.package):
            return layer
    return None


def _free_reason(source: Source, one: Import) -> str | None:
    """What even a module outside the table may not do. The sample's made-up data may."""
    if _within(source.module, "sync.sample"):
        return None
    for outside in _OUTSIDE:
        registry = one.name in (outside, f"{outside}.REGISTRY")
        if one.within(outside) and not (registry and source.module == "sync.bootstrap"):
            return f"only bootstrap reaches {outside}, by the name in the settings"
    if one.within("sync.cli") and not (
        _within(source.module, "sync.cli") or source.module == "sync.__main__"
    ):
        return "nothing depends on the command line"
    return None


def _by_name_reason(source: Source, one: Import) -> str | None:
    if one.name in _LOOKS_UP and source.module not in BY_NAME:
        return "only bootstrap imports by name"
    return None


def _within(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


def _imports(
    node: ast.AST, source: Source, *, deferred: bool, typing_only: bool
) -> Iterator[Import]:
    match node:
        case ast.Import():
            for alias in node.names:
                yield Import(alias.name, node.lineno, deferred, typing_only)
        case ast.ImportFrom():
            base = _base(node, source)
            for alias in node.names:
                yield Import(f"{base}.{alias.name}", node.lineno, deferred, typing_only)
        case ast.Call(func=ast.Name(id="__import__")):
            yield Import("__import__", node.lineno, deferred, typing_only)
        case ast.Attribute(attr="import_module" | "entry_points"):
            yield Import(f"importlib.{node.attr}", node.lineno, deferred, typing_only)
    deferred = deferred or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
        for statement in node.body:
            yield from _imports(statement, source, deferred=deferred, typing_only=True)
        for statement in node.orelse:
            yield from _imports(statement, source, deferred=deferred, typing_only=typing_only)
        return
    for child in ast.iter_child_nodes(node):
        yield from _imports(child, source, deferred=deferred, typing_only=typing_only)


def _base(node: ast.ImportFrom, source: Source) -> str:
    """The absolute package that a possibly relative import starts from."""
    if not node.level:
        return node.module or ""
    parts = source.module.split(".")
    kept = parts[: len(parts) - node.level + (1 if source.is_package else 0)]
    return ".".join([*kept, *([node.module] if node.module else [])])
