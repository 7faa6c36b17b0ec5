"""A live shop and a live ERP that sell the same goods, in the same world of taxes.

The ERP is the kit's seed. The shop gets its items under the ERP's own numbers, its
tax, and no price of its own that would be right by accident.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.systems.live.post import Post
from tests.systems.medusa.server import Medusa, running
from tests.systems.medusa.shop import Shop
from tests.systems.tryton import kit
from tests.systems.tryton.client import Tryton
from tests.systems.tryton.world import add_product

PROMO, FREIGHT, ROUNDING, CARRIER = "TENOFF", "FREIGHT", "ROUNDING", "GROUND"
TAX_CODE, TAX_PERCENT = "TAX10", 10
# What no list of the ERP has: a shopper who is shown it was shown no price of ours.
WRONG_PRICE = 999.99
_LASTING = "[session]\ntimeout = 86400\nmax_age = 86400\n"
# The seed prints none of its invoices: as if each had been, when it was posted.
_KEPT_AS_PDF = (
    "UPDATE account_invoice SET invoice_report_format = 'pdf', invoice_report_cache ="
    " CAST('%PDF-1.4 ' || number || char(10) || '%%EOF' AS BLOB)"
    " WHERE state IN ('posted', 'paid')"
)

Json = dict[str, Any]


@dataclass(frozen=True)
class Pair:
    shop: Shop
    post: Post
    erp: kit.Server
    erp_file: Path
    manifest: Json
    admin: Tryton

    @property
    def erp_password(self) -> str:
        return str(self.manifest["sync_user"]["password"])

    @property
    def database(self) -> kit.SqliteFile:
        return kit.SqliteFile(self.erp_file)

    def customer(self, code: str) -> Json:
        held = [*self.manifest["customers"], self.manifest["retail_party"]]
        return next(each for each in held if each["code"] == code)

    def sales(self) -> int:
        """Web orders that have a number in the ERP."""
        query = "SELECT count(*) FROM sale_sale WHERE web_id IS NOT NULL AND number IS NOT NULL"
        [[count]] = self.database.execute(query)
        return int(count)

    def price(self, code: str, quantities: int) -> dict[str, Decimal]:
        """What the ERP itself says that this customer pays for so many, item by item."""
        customer = self.customer(code)
        rows = self.admin(
            "product.product.read",
            [each["id"] for each in self.manifest["products"]],
            ["code", "sale_price_uom"],
            price_list=customer["price_list"],
            customer=customer["id"],
            quantity=float(quantities),
            currency=1,
        )
        return {row["code"]: row["sale_price_uom"] for row in rows}


@contextmanager
def running_pair() -> Iterator[Pair]:
    """Both servers, filled, until the end."""
    seeded, manifest = kit.seeded_sqlite()
    with tempfile.TemporaryDirectory(prefix="tradesync-live-") as name, Post.listening() as post:
        assert isinstance(post, Post)
        folder = Path(name)
        file = folder / "erp.sqlite"
        kit.SqliteFile(seeded).copy_to(file)
        kit.SqliteFile(file).execute(_KEPT_AS_PDF)
        with running((post.url, post.secret)) as server:
            erp = kit.Server(
                kit.server_python(), folder, f"sqlite://\npath = {folder}", ("erp",), _LASTING
            )
            try:
                with closing(Tryton(erp.url, "erp", "admin", kit.ADMIN_PASSWORD)) as admin:
                    _what_amounts_need(admin)
                    shop = open_shop(server, [each["code"] for each in manifest["products"]])
                    yield Pair(shop, post, erp, file, manifest, admin)
            finally:
                erp.stop()


def open_shop(server: Medusa, skus: list[str]) -> Shop:
    """A shop with these items, which taxes as the ERP does."""
    seed = server.seed
    admin, secret = seed.admin_client(server.url)
    made = seed.make_shop(admin)
    [rate] = admin.get("/admin/tax-rates")["tax_rates"]
    admin.post(f"/admin/tax-rates/{rate['id']}", {"rate": TAX_PERCENT, "code": TAX_CODE})
    shop = Shop(server, admin, secret, made)
    channels = [{"id": each["id"]} for each in made["channels"].values()]
    rows = [_item(made, channels, sku) for sku in skus]
    for product in admin.post("/admin/products/batch", {"create": rows})["created"]:
        [variant] = product["variants"]
        shop.variants[variant["sku"]] = variant["id"]
    return shop


def _item(made: Json, channels: list[Json], sku: str) -> Json:
    return {
        "title": f"Item {sku}",
        "status": "published",
        "shipping_profile_id": made["shipping_profile_id"],
        "sales_channels": channels,
        "options": [{"title": "Pack", "values": ["Each"]}],
        "variants": [
            {
                "title": "Each",
                "sku": sku,
                "manage_inventory": False,
                "options": {"Pack": "Each"},
                "prices": [{"currency_code": "usd", "amount": WRONG_PRICE}],
            }
        ],
    }


def _what_amounts_need(admin: Tryton) -> None:
    """For the shop's promotion, taxed as the goods; for cents, untaxed; and who carries them."""
    [goods] = admin.rows(
        "product.category", [("accounting", "=", True)], "account_revenue", "account_expense"
    )
    untaxed = admin.create(
        "product.category",
        name="Untaxed",
        accounting=True,
        account_revenue=goods["account_revenue"],
        account_expense=goods["account_expense"],
    )
    [unit] = admin.find("product.uom", ("symbol", "=", "u"))
    for code, category in ((PROMO, int(goods["id"])), (ROUNDING, untaxed), ("CARRIAGE", untaxed)):
        add_product(admin, code, category, unit, kind="service", list_price=Decimal(0))
    party = admin.create("party.party", name="Ground Lines", code=CARRIER)
    [carriage] = admin.find("product.product", ("code", "=", "CARRIAGE"))
    admin.create("carrier", party=party, carrier_product=carriage)
