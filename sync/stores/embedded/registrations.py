"""Applications and what becomes of them, as rows.

What a registration makes is named after the application, so that a person who
looks at a user sees where it comes from; the keys are kept, since a name may
have been taken.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, and_, exists, false, insert, or_, select, update

from sync.domain.account import AccountStatus
from sync.domain.ids import ApplicationId, ChannelId, OrganisationId, WebUserId
from sync.domain.order import Role
from sync.domain.registration import (
    AccountKind,
    Application,
    Document,
    Registrant,
    RegistrationNotice,
    UnreadableApplication,
)
from sync.errors import Rejected
from sync.stores.embedded import load, queries, schema
from sync.stores.embedded.spelling import list_text, moment_text, read_list, read_moment

Row = Mapping[str, Any]

_asked, _told = schema.applications, schema.registrations


def open_page(connection: Connection, after: Row | None, limit: int) -> list[Row]:
    """Applications that are not decided, by the time when they were handed in."""
    newer = _asked.c.submitted_at > _told.c.submitted_at
    undecided = or_(_told.c.application.is_(None), _told.c.decided == false(), newer)
    query = (
        select(_asked)
        .outerjoin(_told, _told.c.application == _asked.c.application)
        .where(undecided)
        .order_by(_asked.c.submitted_at, _asked.c.application)
        .limit(limit)
    )
    if after is not None:
        same = _asked.c.submitted_at == after["submitted_at"]
        behind = and_(same, _asked.c.application > after["application"])
        query = query.where(or_(_asked.c.submitted_at > after["submitted_at"], behind))
    return queries.rows(connection, query)


def read(
    connection: Connection, rows: Sequence[Row]
) -> Iterator[Application | UnreadableApplication]:
    """The applications of these rows, in their order."""
    keys = [row["application"] for row in rows]
    documents = load.grouped(connection, schema.application_documents, ("application",), keys)
    for row in rows:
        try:
            yield _application(row, documents.get((row["application"],), ()))
        except ValueError as error:
            yield UnreadableApplication(row["application"], str(error))


def _application(row: Row, documents: Sequence[Row]) -> Application:
    return Application(
        application_id=ApplicationId(row["application"]),
        channel=ChannelId(row["channel"]),
        submitted_at=read_moment(row["submitted_at"]),
        kind=AccountKind(row["kind"]) if row["kind"] else None,
        web_user=WebUserId(row["web_user"]) if row["web_user"] else None,
        **{
            name: row[name]
            for name in ("contact_name", "email", "phone", "company", "tax_id", "country", "region")
        },
        documents=tuple(
            Document(each["kind"], each["reference"], each["media_type"])
            for each in sorted(documents, key=lambda each: int(each["position"]))
        ),
    )


def create(connection: Connection, application_id: ApplicationId, kind: AccountKind) -> Registrant:
    """The registrant, made as far as it is not there."""
    asked = _one(connection, _asked, application_id)
    if asked is None:
        raise _unknown(application_id)
    made = _one(connection, _told, application_id)
    user = made["web_user"] if made else None
    organisation = made["organisation"] if made else None
    if user is None:
        user = _user_of(connection, asked)
    if organisation is None and kind is AccountKind.BUSINESS:
        organisation = _free(connection, schema.organisations, f"org-{application_id}")
        _add_organisation(connection, asked, user, organisation)
    keys = {"web_user": user, "organisation": organisation}
    _put(connection, {**_row_of(application_id, made), **keys})
    return Registrant(WebUserId(user), OrganisationId(organisation) if organisation else None)


def _user_of(connection: Connection, asked: Row) -> str:
    named: str | None = asked["web_user"]
    if named is not None:
        if not queries.by_keys(connection, schema.web_users, "web_user", [named]):
            raise Rejected(
                f"application {asked['application']} names user {named}, whom the store lacks",
                code="store_unknown_user",
                remedy="correct the user of the application in the store",
            )
        return named
    user = _free(connection, schema.web_users, f"u-{asked['application']}")
    connection.execute(
        insert(schema.web_users).values(
            web_user=user,
            name=asked["contact_name"],
            email=asked["email"],
            email_verified=False,
            open_application=False,
        )
    )
    return user


def _add_organisation(connection: Connection, asked: Row, user: str, organisation: str) -> None:
    company = (asked["company"] or "").strip() or f"application {asked['application']}"
    connection.execute(
        insert(schema.organisations).values(
            organisation=organisation,
            name=company,
            status=int(AccountStatus.PROSPECT),
            open_application=True,
        )
    )
    connection.execute(
        insert(schema.memberships).values(
            web_user=user, organisation=organisation, position=0, role=int(Role.MANAGE)
        )
    )
    _set_open(connection, schema.web_users, user, True)


def _free(connection: Connection, table: Table, wanted: str) -> str:
    """The key, or with a number behind it where somebody else has it."""
    column = table.primary_key.columns[0]
    key, number = wanted, 1
    while queries.by_keys(connection, table, column.name, [key]):
        number += 1
        key = f"{wanted}-{number}"
    return key


def show(connection: Connection, application_id: ApplicationId, notice: RegistrationNotice) -> None:
    if _one(connection, _asked, application_id) is None:
        raise _unknown(application_id)
    row = {
        "submitted_at": moment_text(notice.submitted_at),
        "status": None if notice.status is None else int(notice.status),
        "rejected": notice.rejected,
        "decided": notice.decided,
        "missing": list_text(notice.missing),
        "message": notice.message,
    }
    made = _row_of(application_id, _one(connection, _told, application_id))
    _put(connection, {**made, **row})
    if made["organisation"] is not None:
        if notice.status is not None:
            of_it = schema.organisations.c.organisation == made["organisation"]
            status = int(notice.status)
            connection.execute(update(schema.organisations).where(of_it).values(status=status))
        _set_open(connection, schema.organisations, made["organisation"], not notice.decided)
    if made["web_user"] is not None:
        others = and_(
            _told.c.web_user == made["web_user"],
            _told.c.organisation.is_not(None),
            _told.c.decided == false(),
        )
        undecided = bool(connection.execute(select(exists().where(others))).scalar())
        _set_open(connection, schema.web_users, made["web_user"], undecided)


def _row_of(application_id: ApplicationId, made: Row | None) -> Row:
    nothing = {column.name: None for column in _told.columns}
    flags = {"rejected": False, "decided": False, "missing": "[]"}
    return made or {**nothing, **flags, "application": application_id.value}


def _put(connection: Connection, row: Row) -> None:
    queries.delete_rows(connection, _told, ["application"], [(row["application"],)])
    queries.insert_rows(connection, _told, [row])


def _set_open(connection: Connection, table: Table, key: str, is_open: bool) -> None:
    column = table.primary_key.columns[0]
    connection.execute(update(table).where(column == key).values(open_application=is_open))


def shown(
    connection: Connection, application_ids: Collection[ApplicationId]
) -> dict[ApplicationId, RegistrationNotice]:
    rows = queries.by_keys(connection, _told, "application", load.texts(application_ids))
    return {
        ApplicationId(row["application"]): RegistrationNotice(
            submitted_at=read_moment(row["submitted_at"]),
            status=None if row["status"] is None else AccountStatus(row["status"]),
            rejected=row["rejected"],
            missing=read_list(row["missing"]),
            message=row["message"],
        )
        for row in rows
        if row["submitted_at"] is not None
    }


def _one(connection: Connection, table: Table, application_id: ApplicationId) -> Row | None:
    rows = queries.by_keys(connection, table, "application", [application_id.value])
    return rows[0] if rows else None


def _unknown(application_id: ApplicationId) -> Rejected:
    return Rejected(
        f"the store has no application {application_id}",
        code="store_unknown_application",
        remedy="look in the store whether it was removed; reject it if it was",
    )
