"""The statement that tells the ERP's own tax."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from erp_adapters.sql.adapter import SqlErpAdapter
from sync.domain.ids import CustomerId
from sync.domain.money import Money
from sync.ports.erp import FindingLevel, QuotesTax, TaxQuestion
from tests import postgres
from tests.contract.harbour import PROFILE, create_tables


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'erp.db'}"
        return
    with postgres.database() as found:
        yield found


def _asked(country: str | None) -> TaxQuestion:
    return TaxQuestion(
        customer_id=CustomerId("C-1001"),
        currency="EUR",
        goods=Decimal("100.05"),
        charges=Decimal("9.95"),
        day=date(2026, 3, 2),
        country=country,
    )


@pytest.mark.rule("OI-6")
def test_the_erps_own_tax_is_told_exactly_or_not_at_all(url: str) -> None:
    engine = create_engine(url, poolclass=NullPool)
    create_tables(engine)
    engine.dispose()
    erp = SqlErpAdapter.from_settings({"url": url, "profile": str(PROFILE)}, {}, Path("/"))
    try:
        assert isinstance(erp, QuotesTax)
        assert erp.order_tax(_asked("DE")) == Money(Decimal("22.00"), "EUR")
        assert erp.order_tax(_asked("FR")) is None
        assert erp.order_tax(_asked(None)) is None
        wrong = [each for each in erp.check() if each.level is FindingLevel.ERROR]
        assert wrong == []
    finally:
        erp.close()
