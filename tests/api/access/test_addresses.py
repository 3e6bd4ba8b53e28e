"""Who asks: by the peer, and by what proxies say who are believed."""

import pytest
from django.test import RequestFactory

from api.access.addresses import client_ip, source_of

PROXY, ANN, FORGED = "10.0.3.4", "10.0.9.9", "203.0.113.7"


def asked(peer, forwarded=""):
    return RequestFactory().get("/", REMOTE_ADDR=peer, HTTP_X_FORWARDED_FOR=forwarded)


@pytest.mark.parametrize(
    ("trusted", "is_behind", "peer", "forwarded", "client"),
    [
        ([], False, PROXY, ANN, PROXY),
        ([], True, PROXY, ANN, ANN),
        ([], True, PROXY, f"{FORGED}, {ANN}", ANN),  # a caller with a private address is no proxy
        ([], True, FORGED, ANN, FORGED),
        ([], True, PROXY, "", PROXY),
        (["10.0.3.0/24"], False, PROXY, f"{FORGED}, {ANN}", ANN),
        (["10.0.0.0/16"], False, PROXY, f"{FORGED}, {ANN}", FORGED),  # said to be proxies, both of them
        (["10.0.3.0/24"], False, ANN, FORGED, ANN),
        (["10.0.3.0/24"], False, PROXY, "unknown", PROXY),
        ([], False, "", ANN, ANN),  # through a Unix socket
        ([], True, PROXY, f"{FORGED}:4711", FORGED),
        ([], True, PROXY, "[2001:db8::1]:4711", "2001:db8::1"),
        ([], True, PROXY, "::ffff:192.0.2.1", "192.0.2.1"),
    ],
)
def test_caller(settings, trusted, is_behind, peer, forwarded, client):
    settings.TRUSTED_PROXIES, settings.BEHIND_HTTPS_PROXY = trusted, is_behind

    assert client_ip(asked(peer, forwarded)) == client


def test_network_of_a_customer_is_one_source():
    assert source_of(asked("2001:db8::1")) == source_of(asked("2001:db8::2")) == "2001:db8::/64"
    assert source_of(asked("192.0.2.1")) == "192.0.2.1"
