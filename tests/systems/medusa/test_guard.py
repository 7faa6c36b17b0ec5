"""Who may ask our module's admin routes: whoever Medusa itself lets in, and nobody else."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import requests

from tests.systems.medusa.server import MODULE
from tests.systems.medusa.shop import Shop

pytestmark = pytest.mark.system

API = MODULE / "src" / "api"
ASKED = "/admin/tradesync"


def routes() -> Iterator[tuple[str, str]]:
    """Method and path of each admin route that there is a file for."""
    for file in sorted((API / "admin").rglob("route.js")):
        path = "/" + str(file.parent.relative_to(API)).replace("[sha256]", "0" * 64)
        for method in re.findall(r"^async function ([A-Z]+)\(", file.read_text(), re.MULTILINE):
            yield method, path


ROUTES = list(routes())


def status(shop: Shop, method: str, path: str, **how: object) -> int:
    url = shop.server.url + path
    answer = requests.request(method, url, json={}, timeout=60, **how)  # type: ignore[arg-type]
    return answer.status_code


@pytest.fixture
def key(shop: Shop) -> Iterator[tuple[str, str]]:
    """A secret key beside the daemon's: its ID and itself."""
    body = {"title": "another", "type": "secret"}
    made = shop.admin.post("/admin/api-keys", body)["api_key"]
    yield made["id"], made["token"]
    requests.post(
        f"{shop.server.url}/admin/api-keys/{made['id']}/revoke",
        json={},
        auth=(shop.secret, ""),
        timeout=60,
    )


@pytest.mark.rule("OP-7")
@pytest.mark.parametrize("method, path", ROUTES, ids=[" ".join(each) for each in ROUTES])
def test_every_route_asks_who_is_there(shop: Shop, method: str, path: str) -> None:
    assert status(shop, method, path) == 401
    # Also once a right key is known, which differs in one letter.
    assert status(shop, method, path, auth=(shop.secret, "")) != 401
    wrong = shop.secret[:-4] + ("a" if shop.secret[-4] != "a" else "b") + shop.secret[-3:]
    assert status(shop, method, path, auth=(wrong, "")) == 401


@pytest.mark.rule("OP-7")
def test_a_key_that_is_revoked_is_refused_with_the_next_request(
    shop: Shop, key: tuple[str, str]
) -> None:
    key_id, secret = key
    for _ in range(3):
        assert status(shop, "GET", ASKED, auth=(secret, "")) == 200

    revoked = requests.post(
        f"{shop.server.url}/admin/api-keys/{key_id}/revoke",
        json={},
        auth=(shop.secret, ""),
        timeout=60,
    )

    assert revoked.ok, revoked.text
    assert status(shop, "GET", ASKED, auth=(secret, "")) == 401
    assert status(shop, "GET", ASKED, auth=(shop.secret, "")) == 200


@pytest.mark.rule("OP-7")
def test_a_key_that_is_deleted_is_refused_with_the_next_request(
    shop: Shop, key: tuple[str, str]
) -> None:
    key_id, secret = key
    assert status(shop, "GET", ASKED, auth=(secret, "")) == 200
    with shop.server.sql() as on:
        on.execute("DELETE FROM api_key WHERE id = %s", (key_id,))
    assert status(shop, "GET", ASKED, auth=(secret, "")) == 401


@pytest.mark.rule("OP-7")
def test_shoppers_and_public_keys_are_not_let_in(shop: Shop) -> None:
    shopper = shop.register("eve")
    public = shop.made["channels"]["web"]["publishable_key"]
    assert status(shop, "GET", ASKED, headers={"Authorization": f"Bearer {shopper.token}"}) == 401
    assert status(shop, "GET", ASKED, auth=(public, "")) == 401
    assert status(shop, "GET", ASKED, headers={"Authorization": f"Bearer {shop.secret}"}) == 401
    assert status(shop, "GET", ASKED, headers={"Authorization": "Basic"}) == 401


def test_staff_who_signed_in_are_let_in(shop: Shop) -> None:
    seed = shop.server.seed
    who = {"email": seed.ADMIN_EMAIL, "password": seed.ADMIN_PASSWORD}
    token = seed.Api(shop.server.url).post("/auth/user/emailpass", who)["token"]
    assert status(shop, "GET", ASKED, headers={"Authorization": f"Bearer {token}"}) == 200
