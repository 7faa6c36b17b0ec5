"""The page for administrators says what the connector takes and ships."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import get_args, get_type_hints

from sync.domain.ids import OrganisationId, WebUserId
from sync.domain.views import AccountProfile, Exceptional
from sync.kit.signatures import SHORTEST_SECRET
from sync.settings.loading import load_settings
from sync.stores.medusa import settings as stated
from sync.stores.medusa.settings import settings_from
from tests.unit.medusa.answers import KEY
from tests.unit.settings.samples import site_with

FOLDER = Path(stated.__file__).parent
PAGE = (FOLDER / "README.md").read_text(encoding="utf-8")
[EXAMPLE] = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_the_example_is_a_store_that_opens(tmp_path: Path) -> None:
    erp = '[systems.erp]\nkind = "erp"\nadapter = "sql"\n'
    site = site_with(tmp_path, erp + EXAMPLE)
    for name, secret in (("medusa-api-key", KEY), ("medusa-hints", "h" * SHORTEST_SECRET)):
        file = site / "credentials" / name
        file.touch(mode=0o600)
        file.write_text(secret)
    loaded = load_settings(site, {})

    store = loaded.pipelines["main"].store
    secrets = {name: secret.get_secret_value() for name, secret in store.secrets.items()}
    settings = settings_from(store.options, secrets, tmp_path)
    assert (settings.api_key, len(settings.channels)) == (KEY, 2)


def test_every_option_is_explained() -> None:
    rows = " ".join(re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE))
    explained = set(re.findall(r"`(\w+)[`.]", rows))

    assert explained >= set(stated.OPTIONS)


def test_the_page_names_what_is_there() -> None:
    for name in re.findall(r"`(\w+\.py)`", PAGE):
        assert (FOLDER / name).is_file(), name
    files = {each.name for each in FOLDER.glob("*.py")} - {"__init__.py"}
    assert files == set(re.findall(r"`(\w+\.py)`", PAGE))
    for route in re.findall(r"/store/tradesync/(\w+)", PAGE):
        assert (
            f"{route}:" in (FOLDER / "module/src/api/store/tradesync/[kind]/route.js").read_text()
        )


def test_the_module_tells_no_buyer_who_else_acts_for_the_account() -> None:
    route = FOLDER / "module/src/api/store/tradesync/[kind]/route.js"
    [hidden] = re.findall(r"^const HIDDEN = \[(.*)\]$", route.read_text(), re.MULTILINE)
    people = {OrganisationId, WebUserId, Exceptional}
    fields = get_type_hints(AccountProfile).items()

    named = {name for name, kind in fields if people.intersection(get_args(kind))}

    assert {"users", "exceptions"} < named
    assert named <= set(re.findall(r'"(\w+)"', hidden))


def test_the_example_names_only_known_tables() -> None:
    assert set(tomllib.loads(EXAMPLE)) == {"systems", "pipelines"}
