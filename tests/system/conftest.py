"""The sample, built once for each process of the test run and copied for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.system.site import SampleSite, build_databases


@pytest.fixture(scope="session")
def sample_databases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_databases(tmp_path_factory.mktemp("sample"))


@pytest.fixture
def site(tmp_path: Path, sample_databases: Path) -> SampleSite:
    return SampleSite.copied(tmp_path / "site", sample_databases)
