"""Where a request comes from: the peer's address, or what a proxy that is trusted says of it."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

from django.conf import settings

Address = IPv4Address | IPv6Address
# One customer of a provider has a whole network of this size: they are counted as one.
PREFIX_LENGTH_V6 = 64
_PRIVATE = [
    ip_network(text)
    for text in ("127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
]


def client_ip(request: Any) -> str | None:
    """The caller's address; None where there is none, such as behind a Unix socket."""
    client = _parsed(request.META.get("REMOTE_ADDR", ""))
    stated = [_parsed(text) for text in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")]
    # Each proxy appends whom it was asked by: from the right, the first that is no proxy of ours is the caller.
    # What stands before that anybody may have written.
    while stated and stated[-1] is not None and _is_proxy(client):
        client = stated.pop()
        if not settings.TRUSTED_PROXIES:
            break  # nobody named them, so no more than one is believed: callers may have private addresses, too
    return None if client is None else str(client)


def source_of(request: Any) -> str:
    """The caller's address or network, as failures and anonymous requests are counted by."""
    text = client_ip(request)
    if text is None:
        return ""
    address = ip_address(text)
    return text if address.version == 4 else str(ip_network((address, PREFIX_LENGTH_V6), strict=False))


def _is_proxy(address: Address | None) -> bool:
    """Only a proxy on this very machine speaks through a Unix socket, which has no address."""
    if address is None:
        return True
    # Where it was only said that there is a proxy, it stands in a network that the internet does not reach.
    unnamed = _PRIVATE if settings.BEHIND_HTTPS_PROXY else []
    named = [ip_network(text, strict=False) for text in settings.TRUSTED_PROXIES]
    return any(address in network for network in named or unnamed)


def _parsed(text: str) -> Address | None:
    """An address, with or without a port: 192.0.2.1:4711, [2001:db8::1]:4711."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
