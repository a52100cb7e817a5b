"""The items of the checklist, each with what shows it and what to ask if nothing does."""

from collections.abc import Callable

from pools.kinds import AiohttpConnector, AsyncpgPool, SqlalchemyQueue
from pools.review.seen import Check, Said, Seen
from pools.trace import Outcome
from sim.verdict import UTILISATION_WARNING, WAIT_S_WARNING


def _code(*proofs: str, against: tuple[str, ...] = ()) -> Callable[[Seen], Said | None]:
    """Look for a proof in the code, and for findings that speak against it."""

    def look(seen: Seen) -> Said | None:
        finding = seen.finding(*against)
        if finding:
            return Said(False, finding)
        where = seen.code(*proofs)
        return Said(True, where) if where else None

    return look


def _never(_: Seen) -> Said | None:
    return None


def _size(seen: Seen) -> Said | None:
    p99, used = seen.result.wait_s.p99.value, seen.result.utilisation.value
    failed = sum(seen.result.errors.values())
    if failed:
        return Said(False, f"simulated: {failed} of {seen.result.requests} requests fail")
    if p99 is None:
        return None
    fits = p99 < WAIT_S_WARNING and (used is None or used < UTILISATION_WARNING)
    busy = "" if used is None else f", utilisation {used:.0%}"
    return Said(fits, f"simulated: p99 wait {p99 * 1000:.3g} ms{busy}")


def _bursts(seen: Seen) -> Said | None:
    if seen.scenario.workload.pattern != "spike":
        return None
    failed, longest = sum(seen.result.errors.values()), seen.result.wait_s.max.value or 0.0
    burst = seen.scenario.workload.spike_requests
    said = f"simulated: {burst} at once, longest wait {longest:.3g} s, {failed} fail"
    return Said(not failed and longest < 1.0, said)


def _validation(seen: Seen) -> Said | None:
    pool = seen.scenario.pool
    finding = seen.finding("no-validation")
    if finding:
        return Said(False, finding)
    if isinstance(pool, SqlalchemyQueue):
        said = "on" if pool.pool_pre_ping else "off"
        return Said(pool.pool_pre_ping, f"pool_pre_ping is {said} in the scenario")
    if isinstance(pool, AsyncpgPool):
        return Said(
            True, "asyncpg notices a closed connection at once, a silent cut only when used"
        )
    return Said(True, "each checkout connects anew, or a closed connection is dropped at reuse")


def _recycle(seen: Seen) -> Said | None:
    finding = seen.finding("recycle-too-long", "keepalive-too-long")
    if finding:
        return Said(False, finding)
    pool = seen.scenario.pool
    if isinstance(pool, SqlalchemyQueue):
        return Said(pool.pool_recycle > 0, f"pool_recycle is {pool.pool_recycle} s in the scenario")
    if isinstance(pool, AsyncpgPool):
        age_s = pool.max_inactive_connection_lifetime
        return Said(age_s > 0, f"max_inactive_connection_lifetime is {age_s:g} s in the scenario")
    if isinstance(pool, AiohttpConnector):
        return Said(True, f"keepalive_timeout is {pool.keepalive_timeout:g} s in the scenario")
    return Said(True, "no connection is kept")


def _acquire_timeout(seen: Seen) -> Said | None:
    finding = seen.finding("no-acquire-timeout")
    if finding:
        return Said(False, finding)
    if seen.scenario.pool.capacity is None:
        return Said(True, "nobody queues: the pool has no limit")
    limit_s = seen.scenario.pool.wait_s_max
    said = "none in the scenario" if limit_s is None else f"{limit_s:g} s in the scenario"
    return Said(limit_s is not None, said)


def _budget(seen: Seen) -> Said | None:
    scenario = seen.scenario
    if scenario.pool.serves != "database" or scenario.capacity is None:
        return None
    total = scenario.capacity + scenario.fleet.other_connections
    fits = total <= scenario.server.slots
    return Said(fits, f"{total} connections at most, {scenario.server.slots} on the server")


def _limits(name: str, proof: str) -> Callable[[Seen], Said | None]:
    def look(seen: Seen) -> Said | None:
        pool = seen.scenario.pool
        if isinstance(pool, AiohttpConnector):
            value = getattr(pool, name)
            return Said(value > 0, f"{name} is {value} in the scenario")
        where = seen.code(proof)
        return Said(True, where) if where else None

    return look


def _tls(seen: Seen) -> Said | None:
    finding = seen.finding("ssl-false")
    if finding:
        return Said(False, finding)
    where = seen.code("connector", "ClientSession")
    return Said(True, f"{where}: certificates are verified by default") if where else None


def _managers(seen: Seen) -> Said | None:
    explicit = seen.code("explicit release")
    if explicit:
        return Said(False, f"{explicit}: released by hand")
    where = seen.code("context managers")
    return Said(True, where) if where else None


def _graceful(seen: Seen) -> Said | None:
    where = seen.code("graceful shutdown")
    noted = seen.reading.noted if seen.reading is not None else {}
    found = [f"{name} {value} s" for name, value in noted.items() if "graceful" in name]
    if where or not found:
        return Said(True, where) if where else None
    return Said(True, f"command line: {found[0]}")


def _under_load(seen: Seen) -> Said | None:
    if seen.live is None:
        return None
    count = len(seen.live.trace.outcome)
    return Said(count > 0, f"live check of {seen.live.taken_at}: {count} requests")


def _timeouts_seen(seen: Seen) -> Said | None:
    if seen.live is None:
        return None
    count = sum(one == Outcome.ACQUIRE_TIMEOUT for one in seen.live.trace.outcome)
    return Said(True, f"live check of {seen.live.taken_at}: {count} timed out") if count else None


def _ping_cost(seen: Seen) -> Said | None:
    cost = seen.live.calibration.pre_ping if seen.live is not None else None
    return None if cost is None else Said(True, f"measured live: {cost.median_s * 1000:.3g} ms")


CHECKS: tuple[Check, ...] = (
    Check(
        "Pool",
        "Async engine in async code",
        "Is the engine made with create_async_engine?",
        _code("async engine", against=("sync-engine-in-async",)),
    ),
    Check("Pool", "Size fits the load", "What is the arrival rate, and the hold time?", _size),
    Check("Pool", "Overflow fits bursts", "Do bursts come? Try pattern spike.", _bursts),
    Check(
        "Pool",
        "The fleet fits max_connections",
        "How many workers and replicas are there?",
        _budget,
    ),
    Check(
        "Pool",
        "Connections are validated",
        "Is pool_pre_ping on, or a retry in place?",
        _validation,
    ),
    Check(
        "Pool", "Connections are recycled", "How long may a connection idle on the way?", _recycle
    ),
    Check(
        "Timeouts",
        "Acquire timeout",
        "How long may a request wait for a connection?",
        _acquire_timeout,
    ),
    Check(
        "Timeouts",
        "Statement timeout",
        "Is statement_timeout set?",
        _code("statement timeout", "command timeout"),
    ),
    Check("Timeouts", "Lock timeout", "Is lock_timeout set?", _code("lock timeout")),
    Check("Timeouts", "Connect timeout", "Is the connect timeout set?", _code("connect timeout")),
    Check(
        "Timeouts",
        "Dead connections are detected",
        "Are TCP keep-alives or a command timeout set, so that a silent cut ends a query?",
        _code("command timeout"),
    ),
    Check(
        "HTTP",
        "One ClientSession per process",
        "Is the ClientSession shared?",
        _code("ClientSession", against=("engine-per-request",)),
    ),
    Check(
        "HTTP",
        "Connector limit",
        "Is limit chosen for the calls in flight?",
        _limits("limit", "connector limits"),
    ),
    Check(
        "HTTP",
        "Per-host limit",
        "Is limit_per_host set?",
        _limits("limit_per_host", "per-host limit"),
    ),
    Check(
        "HTTP", "DNS TTL", "Does ttl_dns_cache suit how often addresses change?", _code("DNS TTL")
    ),
    Check("HTTP", "TLS is verified", "Is certificate verification on?", _tls),
    Check(
        "Life",
        "Created at start-up",
        "Are pools made in the lifespan, not on the first request?",
        _code("made at start-up", against=("engine-per-request",)),
    ),
    Check(
        "Life",
        "Closed at shutdown",
        "Does shutdown close every pool?",
        _code("closed at shutdown", against=("never-closed",)),
    ),
    Check(
        "Life",
        "Graceful shutdown",
        "Does shutdown wait for requests in flight?",
        _graceful,
    ),
    Check("Life", "Context managers", "Is every connection released by `async with`?", _managers),
    Check(
        "Metrics", "Pool size", "Is the number of open connections exported?", _code("size metric")
    ),
    Check(
        "Metrics",
        "In use",
        "Is the number in use exported?",
        _code("in-use metric", against=("size-as-current",)),
    ),
    Check("Metrics", "Idle", "Is the number idle exported?", _code("idle metric")),
    Check(
        "Metrics",
        "Wait",
        "Is the wait measured around the acquire?",
        _code("wait metric", against=("wait-as-hold",)),
    ),
    Check("Metrics", "Errors", "Are timeouts and errors counted by kind?", _code("error metric")),
    Check(
        "Metrics", "Exhaustion alert", "Does an alert fire before the pool is exhausted?", _never
    ),
    Check(
        "Tests",
        "Tested under load",
        "Has it run at the expected rate? Try the live check.",
        _under_load,
    ),
    Check("Tests", "Tested on connection failure", "Has the database been taken away?", _never),
    Check("Tests", "Timeouts tested", "Has the pool been exhausted on purpose?", _timeouts_seen),
    Check("Tests", "Recovery tested", "Has it come back by itself after a restart?", _never),
    Check(
        "Tests",
        "Pre-ping cost measured",
        "What does pre-ping cost here? Try the live check.",
        _ping_cost,
    ),
)
