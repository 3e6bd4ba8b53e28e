"""Where a request comes from: the peer's address, or what a proxy that is trusted says of it."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

from django.conf import settings

Address = IPv4Address | IPv6Address
# One customer of a provider has a whole network of this size: they are counted as one.
PREFIX_LENGTH_V6 = 64


def client_ip(request: Any) -> str | None:
    """The caller's address; None where there is none, such as behind a Unix socket."""
    peer = _parsed(request.META.get("REMOTE_ADDR", ""))
    client = peer
    # Each proxy appends whom it was asked by: from the right, the first that is no proxy of ours is the caller.
    # What stands before that anybody may have written.
    for text in reversed(request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")):
        if not _is_trusted(client):
            break
        stated = _parsed(text.strip())
        if stated is None:
            break
        client = stated
    return None if client is None else str(client)


def source_of(request: Any) -> str:
    """The caller's address or network, as failures and anonymous requests are counted by."""
    text = client_ip(request)
    if text is None:
        return ""
    address = ip_address(text)
    return text if address.version == 4 else str(ip_network((address, PREFIX_LENGTH_V6), strict=False))


def _is_trusted(address: Address | None) -> bool:
    """Only a proxy on this very machine speaks through a Unix socket, which has no address."""
    return address is None or any(address in network for network in trusted_networks())


def trusted_networks() -> list[Any]:
    return [ip_network(text, strict=False) for text in settings.TRUSTED_PROXIES]


def _parsed(text: str) -> Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
