"""Secrets in the files and the environment of a site, rightly or by mistake."""

from __future__ import annotations

from functools import partial

from tests.canaries.places import ERP_URL, NOWHERE, STORE_URL, Drive, Places

_REFUSED = {78}


def _password_of(places: Places, *, line: str, url: str, system: str) -> None:
    """In its credential file, of a database that is away."""
    site = places.site()
    places.credential(site, "some-password", places.canary.spiky.encode() + b"\n")
    secrets = f'[systems.{system}.secrets]\npassword = "some-password"'
    places.settings(site, line, f'url = "{url}"\n\n{secrets}')
    assert places.ask_everything(site) - {0}


def _state_password(places: Places) -> None:
    site = places.site()
    places.credential(site, "state-password", places.canary.spiky.encode())
    url = f"postgresql://tradesync@{NOWHERE}/tradesync"
    site.service(state_url=url, state_password="state-password")
    assert 75 in places.ask_everything(site)


def _in_settings(places: Places, *, written: str) -> None:
    """Where the settings are not the place for it: refused, and not repeated."""
    site = places.site()
    places.settings(site, ERP_URL, written.replace("CANARY", places.canary.plain))
    assert places.ask_everything(site) == _REFUSED


def _bad_credential(places: Places, *, before: bytes, behind: bytes, mode: int) -> None:
    site = places.site()
    content = before + places.canary.spiky.encode() + behind
    places.credential(site, "some-password", content, mode)
    secrets = '[systems.erp.secrets]\npassword = "some-password"'
    places.settings(site, ERP_URL, f"{ERP_URL}\n\n{secrets}")
    assert places.ask_everything(site) == _REFUSED


def _environment(places: Places, *, name: str) -> None:
    site = places.site()
    assert places.ask_everything(site, **{name: places.canary.plain}) == _REFUSED


def _mapping(places: Places, *, name: str, old: str, new: str) -> None:
    """Pasted into a mapping file; nothing runs on it, and the service's words go into its state."""
    site = places.site()
    site.mapping(name, old, new.replace("CANARY", places.canary.plain))
    assert places.ask_everything(site) & {1, 78}


def _profile(places: Places, *, old: str, new: str) -> None:
    from erp_adapters.sql.profile import SHIPPED

    site = places.site()
    text = (SHIPPED / "sample.yaml").read_text(encoding="utf-8")
    assert old in text
    own = site.root / "config" / "own.yaml"
    own.write_text(text.replace(old, new.replace("CANARY", places.canary.plain), 1), "utf-8")
    places.settings(site, 'profile = "sample"', 'profile = "config/own.yaml"')
    assert places.ask_everything(site) & {1, 78}


def _url(text: str) -> Drive:
    return partial(_in_settings, written=f'url = "{text}"')


WAYS = ("table", "JSON", "stderr", "state file")
SLOTS: dict[str, Drive] = {
    "credential: password of an ERP on PostgreSQL": partial(
        _password_of, line=ERP_URL, url=f"postgresql+psycopg://reader@{NOWHERE}/erp", system="erp"
    ),
    "credential: password of an ERP on MySQL": partial(
        _password_of, line=ERP_URL, url=f"mysql+pymysql://reader@{NOWHERE}/erp", system="erp"
    ),
    "credential: password of an ERP behind ODBC": partial(
        _password_of, line=ERP_URL, url=f"mssql+pyodbc://reader@{NOWHERE}/erp?driver=None",
        system="erp",
    ),
    "credential: password of the store": partial(
        _password_of, line=STORE_URL, url=f"postgresql+psycopg://reader@{NOWHERE}/shop",
        system="store",
    ),
    "credential: password of the state": _state_password,
    "credential that others can read": partial(
        _bad_credential, before=b"", behind=b"", mode=0o644
    ),
    "credential that is not UTF-8": partial(
        _bad_credential, before=b"", behind=b"\xff", mode=0o600
    ),
    "credential with a NUL": partial(_bad_credential, before=b"", behind=b"\0", mode=0o600),
    "credential that is too large": partial(
        _bad_credential, before=b"x" * 70_000, behind=b"", mode=0o600
    ),
    "settings: password in a URL": _url("postgresql://reader:CANARY@erp.example/erp"),
    "settings: PWD in odbc_connect": _url("mssql+pyodbc:///?odbc_connect=UID=r;PWD={CANARY}"),
    "settings: PWD in odbc_connect, quoted": _url(
        "mssql+pyodbc:///?odbc_connect=DRIVER%3DX%3BUID%3Dr%3BPWD%3DCANARY"
    ),
    "settings: token in a query": _url("https://erp.example/api?page=1&access_token=CANARY"),
    "settings: under a name of its own": partial(
        _in_settings, written=f'{ERP_URL}\napi_token = "CANARY"'
    ),
    "settings: in the place of a credential's name": partial(
        _in_settings, written=f'{ERP_URL}\n[systems.erp.secrets]\npassword = "p/CANARY"'
    ),
    "settings: a line that is not TOML": partial(
        _in_settings, written=f'{ERP_URL}\npassword = "CANARY'
    ),
    "settings: as a value of the wrong kind": partial(
        _in_settings, written=f'{ERP_URL}\n[pipelines.other]\nerp = "CANARY"\nstore = 7'
    ),
    "environment: a setting about a secret": partial(
        _environment, name="TRADESYNC_SYSTEMS__ERP__SECRETS__PASSWORD"
    ),
    "environment: a setting of the wrong kind": partial(
        _environment, name="TRADESYNC_SERVICE__LOG_LEVEL"
    ),
    "environment: a setting that does not exist": partial(
        _environment, name="TRADESYNC_PASSWORD"
    ),
    "mapping: a password in a file of channels": partial(
        _mapping, name="channels.yaml", old="channels:", new='password: "CANARY"\nchannels:'
    ),
    "mapping: a URL with a password as a country": partial(
        _mapping, name="codes.yaml", old="countries:",
        new='countries:\n  X: "https://u:CANARY@x.example"',
    ),
    "mapping: a connection string in a table": partial(
        _mapping, name="customers.csv", old="000104,org-104",
        new='000104,"PWD=CANARY;UID=x","PWD=CANARY"',
    ),
    "mapping: a line that is not YAML": partial(
        _mapping, name="accounts.yaml", old="default:", new='token: "CANARY\ndefault:'
    ),
    "profile: a password among the constants": partial(
        _profile, old="reads:", new='password: "CANARY"\nreads:'
    ),
    "profile: a connection string in a statement": partial(
        _profile, old="FROM ", new="FROM 'PWD=CANARY' ] WHERE :PWD "
    ),
    "profile: a line that is not YAML": partial(
        _profile, old="reads:", new='password: "CANARY\nreads:'
    ),
}  # fmt: skip
