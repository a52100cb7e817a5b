"""A check of somebody's PostgreSQL: what it finds, how little it takes, what it leaves."""

import asyncio
import re
import time
from collections.abc import Iterator

import asyncpg
import psycopg
import pytest

from pools.live import check, client_psycopg
from pools.live.asking import target_of
from pools.live.check import LiveCheck
from pools.live.client_psycopg import connect_psycopg
from pools.live.clock import precise_loop
from pools.live.guard import Door, GuardedLoop, only
from pools.live.plan import plan
from pools.live.policy import Policy
from pools.live.preflight import PostgresFacts
from pools.live.problems import LiveCheckFailed, explain
from pools.live.report import LiveReport
from pools.live.secret import Secret
from pools.live.target import OwnPostgres
from sim.query import parse
from tests.live.clusters import (
    DATABASE,
    HOST,
    LIMIT,
    LIMITED,
    PASSWORD,
    SUPERUSER,
    Cluster,
    bouncer,
    cluster,
    standby_of,
)

pytestmark = pytest.mark.server
SHORT = "duration_s=1&warm_up_s=0.2&hold_ms=10&seed=3"
KINDS = {
    "sqlalchemy": "rate=40&pool_size=3&max_overflow=0",
    "asyncpg": "rate=40&min_size=1&max_size=3",
    "psycopg": "rate=40&min_size=1&max_size=3",
    "sqlalchemy-null": "rate=5",
}
FIXED = re.compile(
    r"SELECT 1|SELECT pg_sleep\(|SET LOCAL statement_timeout|BEGIN|COMMIT|ROLLBACK|;|show "
    r"|SELECT sum\(numbackends\)|SELECT pg_advisory_unlock_all|select pg_catalog.version"
    r"|select current_schema|SELECT current_setting|SELECT name, reset_val|SELECT n.nspname"
    r"|SELECT sum\(calls\)"
)


@pytest.fixture(scope="module")
def server() -> Iterator[Cluster]:
    with cluster() as made:
        yield made


def looked_at(target: OwnPostgres) -> PostgresFacts:
    made = check.look(target, session="look")
    assert made.wait(60)
    assert isinstance(made.facts, PostgresFacts), made.problem
    assert made.state == "done", made.problem
    return made.facts


def checked(
    query: str, target: OwnPostgres, facts: PostgresFacts, *, confirmed: bool = False
) -> LiveCheck:
    made = check.start_own(
        parse(query), target, facts, session="own", superuser_confirmed=confirmed
    )
    assert made.wait(90)
    assert PASSWORD not in f"{made.problem}{made.steps}"
    return made


def report_of(query: str, target: OwnPostgres, facts: PostgresFacts) -> LiveReport:
    made = checked(query, target, facts)
    assert made.report is not None, made.problem
    assert made.report.others == {}
    return made.report


def left_behind(server: Cluster) -> int:
    """Return how many connections of checks are still there 2 s after the end."""
    until = time.monotonic() + 2.0
    while (left := asyncio.run(server.checks_connected())) and time.monotonic() < until:
        time.sleep(0.05)
    return left


def test_a_look_finds_what_the_server_allows_over_verified_tls(server: Cluster) -> None:
    facts = looked_at(server.target())
    assert re.fullmatch(r"\d+(\.\d+)*( .*)?", facts.version)
    assert (facts.max_connections, facts.reserved) == (40, 3)
    assert (facts.role_limit, facts.database_limit) == (-1, -1)
    assert not any((facts.is_standby, facts.takes_reserved, facts.is_pooled))
    assert facts.free == 37 - facts.in_use
    assert facts.pool_most == facts.free // 4 - 1
    assert facts.settings["client_connection_check_interval"] == "1000"
    assert facts.settings["default_transaction_read_only"] == "on"
    assert facts.statements is not None
    assert facts.statements.mean_s > 0.0


@pytest.mark.parametrize("kind", KINDS)
def test_a_check_runs_within_its_room_and_leaves_nothing(server: Cluster, kind: str) -> None:
    target = server.target()
    report = report_of(f"kind={kind}&{SHORT}&{KINDS[kind]}", target, looked_at(target))
    assert report.server.provider == "your server"
    assert report.trace.outcome.count(0) > 0
    assert report.server.connections_most is not None
    assert report.server.connections_most <= 3 + 1 + 2
    assert left_behind(server) == 0


def test_the_server_is_asked_fixed_statements_alone(server: Cluster) -> None:
    before = len(server.log)
    target = server.target()
    report_of(f"kind=sqlalchemy&{SHORT}&{KINDS['sqlalchemy']}", target, looked_at(target))
    asked = re.findall(r"(?:statement|execute [^:]*): (.*)", server.log[before:])
    others = [text for text in asked if not FIXED.match(text.strip())]
    assert asked
    assert [text for text in others if text.strip()] == []
    assert re.search(r"application_name=poolwise/[0-9a-f]{8}", server.log[before:])


def test_a_wrong_authority_a_wrong_name_and_no_tls_are_refused(server: Cluster) -> None:
    for changes, code in (
        ({"ca": b"", "sslmode": "verify-full"}, "PW-TLS-untrusted"),
        ({"host": "localhost"}, "PW-TLS-name"),
        ({"ca": b"", "sslmode": "disable"}, "PW-DB-28000-tls"),
    ):
        made = check.look(server.target(**changes), session="look")
        assert made.wait(60)
        assert made.problem is not None
        assert made.problem.code == code


def test_libpq_verifies_the_certificate_as_strictly(
    server: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With an authority given as text, with this machine's, for another name, and not at all."""

    async def connected(own: OwnPostgres) -> str:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, GuardedLoop)
        loop.door = Door(only(Policy(), own.host, own.port), 2)
        try:
            made = await connect_psycopg(target_of(own, "test"), timeout_s=20.0)
        except psycopg.OperationalError as error:
            return explain(error, "load").code
        made.terminate()
        return ""

    (server.home / "ca.pem").write_bytes(server.ca)
    unknown = {"ca": b"", "sslmode": "verify-full"}
    with asyncio.Runner(loop_factory=lambda: precise_loop(GuardedLoop)) as runner:
        assert runner.run(connected(server.target())) == ""
        assert runner.run(connected(server.target(host="localhost"))) == "PW-TLS-name"
        assert runner.run(connected(server.target(ca=b"", sslmode="require"))) == ""
        assert runner.run(connected(server.target(**unknown))) == "PW-TLS-untrusted"
        monkeypatch.setenv("SSL_CERT_FILE", str(server.home / "ca.pem"))
        client_psycopg._authorities.cache_clear()
        assert runner.run(connected(server.target(**unknown))) == ""
    client_psycopg._authorities.cache_clear()


def test_without_verification_by_an_explicit_choice_it_connects(server: Cluster) -> None:
    assert looked_at(server.target(ca=b"", sslmode="require")).max_connections == 40


def test_a_wrong_password_is_tried_once(server: Cluster) -> None:
    before = server.log.count("password authentication failed")
    made = check.look(server.target(password=Secret("wrong")), session="look")
    assert made.wait(60)
    assert made.problem is not None
    assert made.problem.code == "PW-DB-28P01"
    assert server.log.count("password authentication failed") - before == 1


def test_a_role_with_a_connection_limit_gives_a_quarter_of_it(server: Cluster) -> None:
    target = server.target(LIMITED)
    facts = looked_at(target)
    assert facts.role_limit == LIMIT
    assert facts.uses_most == LIMIT // 4
    planned = plan(parse("kind=asyncpg&max_size=10"), facts)
    assert planned.scenario.pool.capacity == facts.pool_most == 2
    assert any("max_size=2" in note for note in planned.notes)
    report = report_of(f"kind=asyncpg&{SHORT}&rate=40&max_size=10", target, facts)
    assert len(report.trace.opened_s) == 2


def test_a_standby_is_recognised_and_can_be_checked(server: Cluster) -> None:
    with standby_of(server) as copy:
        target = copy.target()
        facts = looked_at(target)
        assert facts.is_standby
        report = report_of(f"kind=sqlalchemy&{SHORT}&{KINDS['sqlalchemy']}", target, facts)
        assert report.trace.outcome.count(0) > 0


@pytest.mark.parametrize("kind", KINDS)
def test_behind_pgbouncer_in_transaction_mode_nothing_of_a_session_is_used(
    server: Cluster, kind: str
) -> None:
    with bouncer(server) as port:
        target = server.target(port=str(port), ca=b"", sslmode="disable")
        facts = looked_at(target)
        assert facts.is_pooled
        assert list(facts.settings) == ["application_name"]
        before = len(server.log)
        report = report_of(f"kind={kind}&{SHORT}&{KINDS[kind]}", target, facts)
        assert report.server.provider == "behind a pooler"
        assert report.trace.outcome.count(0) == len(report.trace.outcome)
        written = server.log[before:]
        # PgBouncer itself carries the encoding and the name from client to server.
        assert not re.search(
            r"(statement|execute [^:]*): SET (?!LOCAL|client_encoding|application_name)", written
        )
        assert "RESET ALL" not in written
        assert "SET LOCAL statement_timeout" in written


def test_a_superuser_is_refused_unless_confirmed(server: Cluster) -> None:
    target = server.target(SUPERUSER)
    facts = looked_at(target)
    assert facts.takes_reserved
    refused = checked(f"kind=asyncpg&{SHORT}&{KINDS['asyncpg']}", target, facts)
    assert refused.problem is not None
    assert refused.problem.code == "PW-LIVE-superuser"
    done = checked(f"kind=asyncpg&{SHORT}&{KINDS['asyncpg']}", target, facts, confirmed=True)
    assert done.report is not None, done.problem


def test_a_full_server_is_left_alone(server: Cluster) -> None:
    async def crowd() -> list[object]:
        return [
            await asyncpg.connect(
                host=str(server.home),
                port=server.port,
                user=SUPERUSER,
                password=PASSWORD,
                database=DATABASE,
            )
            for _ in range(30)
        ]

    async def run() -> None:
        crowding = await crowd()
        try:
            facts = await asyncio.to_thread(looked_at, server.target())
            assert facts.in_use >= 30
            assert facts.pool_most == 0
            with pytest.raises(LiveCheckFailed, match="Too few connections are free"):
                plan(parse("kind=asyncpg"), facts)
        finally:
            for connection in crowding:
                connection.terminate()  # type: ignore[attr-defined]

    asyncio.run(run())


def test_a_target_outside_the_policy_is_refused_before_any_process_starts(
    server: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POOLWISE_POLICY", "shared")
    with pytest.raises(LiveCheckFailed, match="not among them"):
        check.look(server.target())
    monkeypatch.setenv("POOLWISE_ALLOW", f"{HOST}:{server.port}")
    assert looked_at(server.target()).max_connections == 40
