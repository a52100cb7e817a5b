"""Where checks may go: what the operator's two variables say, and what is never allowed."""

from ipaddress import ip_address

import pytest

from pools.live.policy import Policy, from_order, policy_of, to_order
from pools.live.target import BuiltIn, OwnPostgres

LOCAL = Policy()
LISTED = "db.example.org:5432, 10.1.0.0/16:6432 [fd00:1::/32] 192.168.7.7:5432"
SHARED = policy_of({"POOLWISE_POLICY": "shared", "POOLWISE_ALLOW": LISTED})
NEVER = [
    *("0.0.0.0", "0.1.2.3", "169.254.169.254", "100.100.100.200", "168.63.129.16", "192.0.0.192"),
    *("224.0.0.1", "239.255.255.250", "255.255.255.255", "240.0.0.1", "::", "fe80::1", "ff02::1"),
    *("fd00:ec2::254", "::ffff:169.254.169.254", "::ffff:0.0.0.0", "2002:a9fe:a9fe::1"),
    *("64:ff9b::a9fe:a9fe", "64:ff9b:1::a9fe:a9fe", "::a9fe:a9fe"),
    "2001:0:a9fe:a9fe::1",
]


@pytest.mark.parametrize("text", NEVER)
def test_addresses_of_the_network_itself_are_never_allowed_however_they_are_wrapped(
    text: str,
) -> None:
    everything = policy_of({"POOLWISE_POLICY": "shared", "POOLWISE_ALLOW": "0.0.0.0/0 [::/0] h:1"})
    assert everything.entries
    for policy in (LOCAL, SHARED, everything):
        assert not policy.admits("h", ip_address(text), 1)


@pytest.mark.parametrize("text", ["127.0.0.1", "10.0.0.1", "192.168.1.1", "8.8.8.8", "::1"])
def test_local_allows_this_machine_private_and_public_addresses(text: str) -> None:
    assert LOCAL.admits("any", ip_address(text), 5432)


@pytest.mark.parametrize(
    ("host", "address", "port", "allowed"),
    [
        ("db.example.org", "203.0.113.7", 5432, True),
        ("DB.example.org.", "203.0.113.7", 5432, True),
        ("db.example.org", "203.0.113.7", 5433, False),
        ("other.example.org", "203.0.113.7", 5432, False),
        ("any.name", "10.1.2.3", 6432, True),
        ("any.name", "10.1.2.3", 5432, False),
        ("any.name", "10.2.2.3", 6432, False),
        ("any.name", "::ffff:10.1.2.3", 6432, True),
        ("any.name", "::10.1.2.3", 6432, False),
        ("any.name", "fd00:1::7", 1, True),
        ("192.168.7.7", "192.168.7.7", 5432, True),
        ("localhost", "127.0.0.1", 5432, False),
        ("db.example.org", "169.254.169.254", 5432, False),
    ],
)
def test_shared_allows_what_is_listed(host: str, address: str, port: int, allowed: bool) -> None:
    assert SHARED.admits(host, ip_address(address), port) is allowed
    assert from_order(to_order(SHARED)).admits(host, ip_address(address), port) is allowed


def test_shared_refuses_an_unlisted_server_before_anything_is_sent() -> None:
    alone = policy_of({"POOLWISE_POLICY": "shared"})
    own = OwnPostgres("db.example.org", 5432, "u", "d")
    assert "not among them" in alone.refusal(own)
    assert alone.refusal(BuiltIn()) == ""
    assert SHARED.refusal(own) == ""
    assert "not among them" in SHARED.refusal(OwnPostgres("10.9.9.9", 6432, "u", "d"))


def test_public_has_no_checks_unless_the_built_in_server_is_left() -> None:
    off = policy_of({"POOLWISE_POLICY": "public"})
    assert "off" in off.refusal(BuiltIn())
    left = policy_of({"POOLWISE_POLICY": "public", "POOLWISE_ALLOW": "embedded"})
    assert left.refusal(BuiltIn()) == ""
    assert left.refusal(OwnPostgres("127.0.0.1", 5432, "u", "d"))


@pytest.mark.parametrize(
    "environment",
    [
        {"POOLWISE_POLICY": "locl"},
        {"POOLWISE_POLICY": "shared", "POOLWISE_ALLOW": "db.example.org"},
        {"POOLWISE_POLICY": "shared", "POOLWISE_ALLOW": "db:0"},
        {"POOLWISE_POLICY": "shared", "POOLWISE_ALLOW": "10.0.0.1/8"},
        {"POOLWISE_POLICY": "shared", "POOLWISE_ALLOW": "*:5432"},
        {"POOLWISE_POLICY": "local", "POOLWISE_ALLOW": "db:5432"},
        {"POOLWISE_POLICY": "public", "POOLWISE_ALLOW": "db:5432"},
    ],
)
def test_what_cannot_be_read_allows_nothing_and_says_why(environment: dict[str, str]) -> None:
    policy = policy_of(environment)
    assert policy.refusal(BuiltIn())
    assert policy.refusal(OwnPostgres("127.0.0.1", 5432, "u", "d"))
    assert not policy.admits("db", ip_address("127.0.0.1"), 5432)
    assert "POOLWISE_" in policy.in_words


def test_without_a_policy_a_page_that_is_open_to_others_is_shared() -> None:
    assert policy_of({}).name == "local"
    assert policy_of({}, bound_to="127.0.0.1").name == "local"
    assert policy_of({}, bound_to="0.0.0.0").name == "shared"
    assert policy_of({"POOLWISE_POLICY": "local"}, bound_to="0.0.0.0").name == "local"
