"""Ports of this machine for servers that are told theirs."""

from __future__ import annotations

import socket

LISTENS = "127.0.0.1"


def free_port() -> int:
    """A port that nobody else is given while this process lives.

    A server may take minutes until it listens, and others are restarted; meanwhile any
    connection that another test makes could be given the same port. So it stays bound,
    without listening: who connects is refused, and a server may still listen there, since
    servers ask to share an address that only waits (SO_REUSEADDR).
    """
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind((LISTENS, 0))
    port: int = held.getsockname()[1]
    held.detach()  # nobody closes it; it ends with the process
    return port
