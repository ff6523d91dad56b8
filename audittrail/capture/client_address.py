"""The address of a client, told by its peer and by the proxies that can be believed."""

import ipaddress
import re

from django.http import HttpRequest

from audittrail.conf import Network

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_BRACKETED = re.compile(r"\[(?P<address>[^\]]+)\](?::\d+)?")
_V4_WITH_PORT = re.compile(r"(?P<address>[0-9.]+):\d+")
_FOR = re.compile(r'(?:^|;)\s*for\s*=\s*("[^"]*"|[^;]*)', re.IGNORECASE)


def client_ip_of(request: HttpRequest, trusted: tuple[Network, ...]) -> str | None:
    """The address of who sent a request, as of `client_ip`."""
    return client_ip(
        request.META.get("REMOTE_ADDR", ""),
        request.headers.get("X-Forwarded-For", ""),
        trusted,
        request.headers.get("Forwarded", ""),
    )


def client_ip(peer: str, forwarded_for: str, trusted: tuple[Network, ...], forwarded: str = "") -> str | None:
    """The address nearest to the client that can be believed: hops are read from the right while they are trusted
    proxies.

    peer: REMOTE_ADDR, empty behind a Unix socket, whose peer nobody can vouch for.  forwarded_for: X-Forwarded-For;
    forwarded: `Forwarded` of RFC 7239, read only where the former is missing.  A hop that is no address ends the way.
    """
    address = _address(peer)
    for hop in reversed(_hops(forwarded_for) or _hops_of_forwarded(forwarded)):
        if address is None or not any(address in network for network in trusted):
            break
        if (nearer := _address(hop)) is None:
            break
        address = nearer
    return str(address) if address else None


def _hops(forwarded_for: str) -> list[str]:
    return [part.strip() for part in forwarded_for.split(",") if part.strip()]


def _hops_of_forwarded(forwarded: str) -> list[str]:
    """An element without `for` stays as an empty hop: nothing left of it may be believed."""
    found = [_FOR.search(element) for element in forwarded.split(",") if element.strip()]
    return [match[1] if match else "" for match in found]


def _address(hop: str) -> Address | None:
    """Without quotes, brackets, port and zone; an IPv4 address mapped into IPv6 is the IPv4 address."""
    text = hop.strip().strip('"').strip()
    with_port = _BRACKETED.fullmatch(text) or _V4_WITH_PORT.fullmatch(text)
    try:
        address = ipaddress.ip_address((with_port["address"] if with_port else text).partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
