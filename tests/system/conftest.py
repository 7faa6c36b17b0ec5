"""The sample, built once for each process of the test run and copied for each test."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from sync.sample.build import build_sample
from tests.system.site import SampleSite


@pytest.fixture(scope="session")
def sample_databases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample")
    build_sample(
        f"sqlite:///{folder / 'erp.sqlite'}",
        f"sqlite:///{folder / 'store.sqlite'}",
        today=datetime.now(UTC).date(),
    )
    return folder


@pytest.fixture
def site(tmp_path: Path, sample_databases: Path) -> SampleSite:
    return SampleSite.copied(tmp_path / "site", sample_databases)
