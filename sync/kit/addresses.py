"""Addresses of hosts that can be no system of anybody's, whatever the settings say.

A system in a private network is normal and allowed. What is refused is an address
that means something else than it says: the cloud's metadata (link-local), the
ways of writing an IPv4 address inside an IPv6 one that lead past every other check,
and numbers that only some libraries read as an address.
"""

from __future__ import annotations

import ipaddress
import re

_INSIDE = (
    ipaddress.ip_network("64:ff9b::/96"),  # NAT64
    ipaddress.ip_network("64:ff9b:1::/48"),
    ipaddress.ip_network("2002::/16"),  # 6to4
    ipaddress.ip_network("2001::/32"),  # Teredo
    ipaddress.ip_network("::ffff:0:0/96"),  # mapped
)
_NUMBER = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)(?:\.(?:0x[0-9a-f]*|[0-9]+))*\.?", re.IGNORECASE)
_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?")


def why_no_host(host: str) -> str | None:
    """Why no system can be reached under this host; None where one can."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        if _NUMBER.fullmatch(host):
            return "is a number that not everybody reads as the same address"
        named = host.isascii() and _NAME.fullmatch(host) and len(host) <= 253
        return None if named else "is no host name"
    if address.is_multicast or address.is_unspecified or address.is_link_local:
        return "is an address at which no system can be"
    if isinstance(address, ipaddress.IPv6Address) and any(address in each for each in _INSIDE):
        return "holds another address inside; write that one"
    return None
