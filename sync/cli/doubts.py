"""What is doubtful about an assignment, told by each command that makes one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from sync.mapping_check import Doubts


ANYWAY = click.option(
    "--anyway", is_flag=True, help="Also for whom the ERP or the store does not have (yet)."
)


def tell_doubts(doubts: Doubts) -> None:
    """What a person should look at."""
    for each in doubts.told:
        click.echo(f"Look at this: {each}")


def tell_unread(doubts: Doubts) -> None:
    """That nobody could compare it, where that is so."""
    if doubts.unread:
        click.echo(f"Not compared with the ERP and the store: {doubts.unread}", err=True)
