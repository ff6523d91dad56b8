"""Which address a request is recorded with: what real proxies send, and what nobody may be believed."""

import ipaddress

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpResponse

from audittrail.capture.client_address import client_ip
from audittrail.capture.middleware import AuditContextMiddleware

TRUSTED = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fe80::/10"))


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "expected"),
    [
        ("203.0.113.9", "", "203.0.113.9"),
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "6.6.6.6, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "198.51.100.1:567", "198.51.100.1"),
        ("10.0.0.1", "198.51.100.1, 10.0.0.2:80", "198.51.100.1"),
        ("10.0.0.1", '"[2001:db8::1]:443"', "2001:db8::1"),
        ("10.0.0.1", "[2001:db8::1]", "2001:db8::1"),
        ("10.0.0.1", "2001:db8::1", "2001:db8::1"),
        ("10.0.0.1", "not an address", "10.0.0.1"),
        ("10.0.0.1", "6.6.6.6, not an address, 10.0.0.2", "10.0.0.2"),
        ("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("::ffff:203.0.113.9", "", "203.0.113.9"),
        ("fe80::1%eth0", "198.51.100.1", "198.51.100.1"),
        ("2001:db8::1", "", "2001:db8::1"),
        ("", "198.51.100.1", None),
    ],
)
def test_an_address_is_believed_from_trusted_proxies_only(peer, forwarded_for, expected):
    assert client_ip(peer, forwarded_for, TRUSTED) == expected


def test_without_trusted_proxies_only_the_peer_is_believed():
    assert client_ip("10.0.0.1", "198.51.100.1", (), "for=198.51.100.1") == "10.0.0.1"


@pytest.mark.parametrize(
    ("forwarded", "expected"),
    [
        ("for=198.51.100.1", "198.51.100.1"),
        ('proto=https; For="[2001:db8::1]:443";by=10.0.0.1', "2001:db8::1"),
        ("for=6.6.6.6, for=198.51.100.1;proto=http, for=10.0.0.2", "198.51.100.1"),
        ("for=6.6.6.6, for=unknown", "10.0.0.1"),
        ("for=6.6.6.6, proto=https", "10.0.0.1"),
    ],
)
def test_the_header_of_rfc_7239_is_read(forwarded, expected):
    assert client_ip("10.0.0.1", "", TRUSTED, forwarded) == expected


def test_what_is_no_network_ends_the_start_and_names_the_variable(monkeypatch):
    monkeypatch.setenv("AUDIT_TRUSTED_PROXIES", "10.0.0.0/8,garbage")
    with pytest.raises(
        ImproperlyConfigured, match=r"AUDIT_TRUSTED_PROXIES='10\.0\.0\.0/8,garbage' is not a list of networks"
    ):
        AuditContextMiddleware(lambda request: HttpResponse())
