"""Whether an ERP's documents and a place of their files go together."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from sync.files.folder.adapter import FolderFiles
from sync.flows.documents import place_findings
from sync.ports.erp import Erp, ReadsDocumentFiles, ReadsDocuments


class Silent:
    """An ERP that knows of no documents."""

    capabilities: Any = None

    def check(self) -> list[Any]:
        return []

    def close(self) -> None: ...


class Tells(Silent):
    def documents(self, customer_ids: Any) -> list[Any]:
        return []


class Gives(Tells):
    document_size_limit = 1

    def read_document(self, place: str, version: str) -> Any: ...


@pytest.mark.rule("TL-7", "OP-3")
@pytest.mark.parametrize(
    "erp, placed, told",
    [
        (Silent(), False, None),
        (Silent(), True, "tells of no documents"),
        (Tells(), False, "name no place of files"),
        (Tells(), True, None),
        (Gives(), False, None),
        (Gives(), True, None),
    ],
    ids=lambda each: type(each).__name__ if isinstance(each, Silent) else str(each),
)
def test_what_would_mirror_no_document_is_named(
    erp: Silent, placed: bool, told: str | None, tmp_path: Path
) -> None:
    assert isinstance(erp, ReadsDocuments) == isinstance(erp, Tells)
    assert isinstance(erp, ReadsDocumentFiles) == isinstance(erp, Gives)
    files = FolderFiles.from_settings({"folder": str(tmp_path)}, {}, tmp_path) if placed else None
    found = place_findings(cast("Erp", erp), files)
    assert [told is not None and told in each.message for each in found] == [True] * bool(told)
