"""The site between the two: made by ``tradesync init``, then told of its systems and buyers."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.ports import free_port
from tests.system.site import SampleSite, command, environment
from tests.systems.live.pair import CARRIER, FREIGHT, PROMO, ROUNDING, TAX_CODE, Pair
from tests.systems.medusa.shop import CARD, ON_ACCOUNT, Person

ERP_TIMEOUT_S = 3
# A life that is short must come to write something.
BATCH = 2
# Longer than a write of the ERP may take until it is given up, as its page says.
AMBIGUITY_WAIT_S = 13

_SETTINGS = """\
[service]
hints_listen = "127.0.0.1:{port}"
log_format = "json"

# ---
[systems.erp]
kind = "erp"
adapter = "tryton"

[systems.erp.options]
url = "{erp}"
database = "erp"
user = "sync"
web_shop = "webstore"
adjustment_product = "{rounding}"
timeout_s = {timeout}

[systems.erp.secrets]
password = "tryton-password"

[systems.shop]
kind = "store"
adapter = "medusa"

[systems.shop.options]
url = "{store}"
store_id = "shop"
unit = "u"
public_channel = "web"

[systems.shop.options.channels.trade]
sales_channel = "{trade}"

[systems.shop.options.channels.web]
sales_channel = "{web}"

[systems.shop.secrets]
api_key = "medusa-api-key"
hints = "medusa-hints"

[pipelines.main]
erp = "erp"
store = "shop"
mappings = "mappings"

[pipelines.main.schedule]
off = []

[pipelines.main.orders]
batch = 200
"""

_MAPPINGS = {
    "channels.yaml": """\
channels:
  trade:
    commerce_mode: b2b
  web:
    commerce_mode: hybrid
    guest_checkout: true
    retail_groups:
      - customer_id: RETAIL
        currencies: [USD]
""",
    # The mirror shows what the ERP charges, so no price may be off by anything.
    "accounts.yaml": """\
default: {custom_ship_to: true, price_tolerance: 0, on_price_difference: hold}
retail: {price_tolerance: 0, on_price_difference: hold}
""",
    "codes.yaml": f"""\
payment_methods:
  {CARD}: {{kind: card, erp_code: CARD}}
  {ON_ACCOUNT}: {{kind: terms, erp_code: TERMS}}
ship_methods: {{Ground: {CARRIER}}}
taxes: {{{TAX_CODE}: {TAX_CODE}}}
charges: {{Ground: {FREIGHT}}}
discounts: {{{PROMO}: {PROMO}}}
""",
    "customers.yaml": "{}\n",
}


@dataclass(frozen=True)
class LiveSite(SampleSite):
    """``port`` is where its daemon takes hints."""

    port: int = 0

    @classmethod
    def made(cls, root: Path, pair: Pair, mapped: dict[str, Person]) -> LiveSite:
        """``mapped`` are buyers whom the mapping file assigns, by customer ID."""
        site = cls(root, port=free_port())
        subprocess.run(
            command("init", str(root)), check=True, capture_output=True, env=environment()
        )
        channels = pair.shop.made["channels"]
        site.settings.write_text(
            _SETTINGS.format(
                port=site.port,
                erp=pair.erp.url,
                rounding=ROUNDING,
                timeout=ERP_TIMEOUT_S,
                store=pair.shop.server.url,
                trade=channels["b2b"]["id"],
                web=channels["web"]["id"],
            ),
            encoding="utf-8",
        )
        for name, text in _MAPPINGS.items():
            (root / "mappings" / name).write_text(text, encoding="utf-8")
        rows = [f",{person.id},,,{account}" for account, person in mapped.items()]
        table = "\n".join(["organisation,user,contact,note,customer_id", *rows, ""])
        (root / "mappings" / "customers.csv").write_text(table, encoding="utf-8")
        folder = root / "credentials"
        folder.mkdir(mode=0o700, exist_ok=True)
        for name, secret in (
            ("tryton-password", pair.erp_password),
            ("medusa-api-key", pair.shop.secret),
            ("medusa-hints", pair.post.secret),
        ):
            file = folder / name
            file.touch(mode=0o600)
            file.write_text(secret, encoding="utf-8")
        site.hurried()
        return site

    def hurried(self) -> None:
        """An order whose worker is gone is looked up after seconds, not minutes."""
        self.orders(
            batch=BATCH,
            lease_s=1,
            ambiguity_wait_s=AMBIGUITY_WAIT_S,
            waiting_recheck_s=5,
            retry_first_s=0.5,
            retry_longest_s=2,
        )

    def on_their_way(self) -> int:
        """Orders that a worker holds and that the ERP may be taking right now."""
        query = (
            "SELECT count(*) FROM ledger WHERE state = 'submitting'"
            " AND frozen IS NOT NULL AND lease_until IS NOT NULL"
        )
        return int(self.rows(self.state, query)[0][0])
