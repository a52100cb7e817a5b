"""Plausible mistakes in the models of aiohttp's connector and of httpx's pool."""

from functools import partial

from pools.kinds.aiohttp import ConnectorLogic
from pools.kinds.http import HttpPool
from pools.kinds.httpx import HttpxLogic
from pools.kinds.httpx_queue import Queue
from tests.conformance.mutants import mutant

_aiohttp = partial(mutant, family="aiohttp", owner=ConnectorLogic)
_httpx = partial(mutant, family="httpx", owner=HttpxLogic)
_queue = partial(mutant, family="httpx", owner=Queue)

AIOHTTP = (
    _aiohttp(
        "an idle connection is used again only within the limit",
        method="acquire",
        words="if self._never_overtakes else",
        others="if self._never_overtakes or self._room(request.host) <= 0 else",
    ),
    _aiohttp(
        "idle connections count towards the limit",
        method="_room",
        words="self._limit - self._in_use if",
        others="self._limit - self._in_use - sum(map(len, self._idle.values())) if",
    ),
    _aiohttp(
        "the idle connection used last is used first",
        method="_take_idle",
        words="idle.popleft()",
        others="idle.pop()",
    ),
    _aiohttp(
        "keepalive_timeout is not tested at reuse",
        method="_take_idle",
        words="if now - place.idle_since_s <= self._keepalive_s:",
        others="if True:",
    ),
    _aiohttp(
        "a connection idle for exactly keepalive_timeout is too old",
        family="aiohttp-loops",
        method="_take_idle",
        words="<= self._keepalive_s",
        others="< self._keepalive_s",
    ),
    _aiohttp(
        "a dead idle connection is lent",
        method="_take_idle",
        words="if place.link < 0:",
        others="if False:",
    ),
    _aiohttp(
        "a robbed waiter goes to the tail of its queue",
        method="woken",
        words="at_front=True",
        others="at_front=False",
        family="aiohttp-loops",
    ),
    _aiohttp(
        "a wake-up that comes too late is passed on",
        method="woken",
        words="self._reject(request, self._ends.pop(request.row))",
        others="self._reject(request, self._ends.pop(request.row)); self._wake_one()",
    ),
    _aiohttp(
        "connect_timeout starts again when a waiter is woken",
        method="woken",
        words="self._take(request, now)",
        others="self._arm_timeout(request, now); self._take(request, now)",
    ),
    _aiohttp(
        "connect_timeout covers the queue only",
        method="expired",
        words="if now >= request.expires_s:",
        others="if now >= request.expires_s and request.slot is None:",
    ),
    _aiohttp(
        "connect_timeout is never rounded up",
        method="_arm_timeout",
        words="if timeout_s > CEIL_THRESHOLD_S else",
        others="if False else",
    ),
    _aiohttp(
        "a connect_timeout of 5 s is rounded up",
        method="_arm_timeout",
        words="timeout_s > CEIL_THRESHOLD_S",
        others="timeout_s >= CEIL_THRESHOLD_S",
    ),
    _aiohttp(
        "timeouts due together end one after the other",
        method="_cancel",
        words="self._world.timer(partial(self._end, request, outcome), now)",
        others="self._end(request, outcome, now)",
    ),
    _aiohttp(
        "idle connections are not cleaned up",
        method="_set_cleanup",
        words="if self._cleanup_set or",
        others="if True or",
    ),
    _aiohttp(
        "each idle connection has a clean-up of its own",
        method="_set_cleanup",
        words="self._cleanup_set or not",
        others="not",
    ),
    _aiohttp(
        "the time of the clean-up is not rounded up",
        method="_set_cleanup",
        words="self._keepalive_s >= CEIL_THRESHOLD_S",
        others="False",
    ),
    _aiohttp(
        "the clean-up closes what has been idle for exactly keepalive_timeout",
        method="_cleanup",
        words="idle_since_s < deadline_s",
        others="idle_since_s <= deadline_s",
    ),
    _aiohttp(
        "the clean-up runs once",
        method="_cleanup",
        words="if any(self._idle.values()):",
        others="if False:",
    ),
    _aiohttp(
        "a failed connect wakes nobody",
        method="open_failed",
        words="self._leave(place)",
        others="self._in_use -= 1; self._in_use_of[place.host] -= 1",
    ),
    _aiohttp(
        "who gives up a connection wakes nobody",
        method="_hand_back",
        words="self._leave(place)",
        others="self._in_use -= 1; self._in_use_of[place.host] -= 1",
    ),
    _aiohttp(
        "a cancelled request returns its connection",
        method="_end",
        words="self._close(self._hand_back(request), Cause.ABORTED)",
        others="self._rest(self._hand_back(request), now)",
    ),
    _aiohttp(
        "a lost request is not repeated",
        method="broke",
        words="if request.idempotent:",
        others="if False:",
    ),
    _aiohttp(
        "a lost request is repeated for ever",
        method="broke",
        words="request.idempotent = False",
        others="pass",
    ),
    _aiohttp(
        "a lost POST is repeated too",
        method="broke",
        words="if request.idempotent:",
        others="if True:",
    ),
    _aiohttp(
        "Connection: close is not heeded",
        method="release",
        words="self._force_close or request.closes",
        others="self._force_close",
    ),
    _aiohttp(
        "force_close is not heeded",
        method="release",
        words="self._force_close or request.closes",
        others="request.closes",
    ),
    _aiohttp(
        "limit_per_host is not heeded",
        method="_room",
        words="if total > 0 and self._host_limit:",
        others="if False:",
    ),
    _aiohttp(
        "limit_per_host counts all hosts",
        method="_room",
        words="self._in_use_of[host]",
        others="self._in_use",
    ),
    _aiohttp(
        "hosts are woken in the order of their first waiters",
        method="_wake_one",
        words="self._rng.shuffle(hosts)",
        others="pass",
    ),
    _aiohttp(
        "a waiter is woken whether or not its host has room",
        method="_wake_one",
        words="if self._room(host) < 1:",
        others="if False:",
    ),
    _aiohttp(
        "a host without waiters still takes part in the draw",
        method="_forget_queue",
        words="not self._waiters[host]",
        others="False",
    ),
    mutant(
        "the woken waiter goes on before the reader",
        family="aiohttp-loops",
        owner=HttpPool,
        method="release_hops",
        words="return 0",
        others="return 1",
    ),
)

HTTPX = (
    _httpx(
        "max_keepalive_connections counts idle connections only",
        method="_sweep",
        words="self._count > self._keep",
        others="len(self._resting) > self._keep",
    ),
    _httpx(
        "max_keepalive_connections keeps one less",
        method="_sweep",
        words="self._count > self._keep",
        others="self._count >= self._keep",
    ),
    _httpx(
        "a connection idle for exactly keepalive_expiry is closed",
        method="_sweep",
        words="now > connection.expires_s",
        others="now >= connection.expires_s",
    ),
    _httpx(
        "idle connections do not expire",
        method="_sweep",
        words="now > connection.expires_s",
        others="False",
    ),
    _httpx(
        "a dead idle connection is lent",
        method="_sweep",
        words="elif connection.hung_up:",
        others="elif False:",
    ),
    _httpx(
        "the place of a closed connection is lost",
        method="_sweep",
        words="self._count -= 1",
        others="self._count -= connection.state is not State.CLOSED",
    ),
    _httpx(
        "the idle connection made last is used first",
        method="_choose",
        words="in self._resting:",
        others="in reversed(self._resting):",
    ),
    _httpx(
        "another host's idle connection is not closed to make room",
        method="_choose",
        words="if not self._resting:",
        others="if True:",
    ),
    _httpx(
        "the idle connection made last makes room",
        method="_choose",
        words="self._resting.pop(0)",
        others="self._resting.pop()",
    ),
    _httpx(
        "idle connections do not count towards max_connections",
        method="_choose",
        words="if self._count < self._most:",
        others="if self._count - len(self._resting) < self._most:",
    ),
    _httpx(
        "a robbed request goes to the tail of the queue",
        family="httpx-loops",
        method="_arrive",
        words="self._queue.push(request)",
        others="self._queue.enter(request); self._queue.push(request)",
    ),
    _httpx(
        "connecting is not bounded",
        method="_arrive",
        words="if request.expires_s < math.inf:",
        others="if False:",
    ),
    _httpx(
        "what was waited counts towards the connect timeout",
        method="_arrive",
        words="request.expires_s = now + self._connect_s",
        others="request.expires_s = min(request.expires_s, now + self._connect_s)",
    ),
    _httpx(
        "a failed connect wakes nobody",
        method="_end",
        words="self._assign(now)",
        others="pass",
    ),
    _httpx(
        "an abandoned connect keeps its place",
        method="_abandon",
        words="self._drop(",
        others="self._close(",
    ),
    _httpx(
        "Connection: close is not heeded",
        method="release",
        words="if request.closes else",
        others="if False else",
    ),
    _httpx(
        "a cancelled request returns its connection",
        method="interrupted",
        words="Cause.ABORTED",
        others="None",
    ),
    _httpx(
        "an idle connection is closed as soon as the server hangs up",
        method="lost",
        words="if connection.state is State.ACTIVE:",
        others="if True:",
    ),
    _httpx(
        "a lost request is repeated",
        method="broke",
        words="self._hand_back(request, Cause.DEAD, now)",
        others="self._drop(_connection(request.slot), Cause.DEAD); self.acquire(request, now)",
    ),
    _httpx(
        "keepalive_expiry counts from the first use",
        method="_rest",
        words="now + self._expiry_s",
        others="min(connection.expires_s, now + self._expiry_s)",
    ),
    _queue(
        "timeouts do not begin afresh",
        family="httpx-loops",
        method="restart",
        words="restarts.append((now, before))",
        others="pass",
    ),
    _queue(
        "timeouts begin afresh for whoever asks later, too",
        method="deadline_s",
        words="if ticket < before",
        others="if True",
    ),
    _queue(
        "timeouts that began together end in any order",
        family="httpx-loops",
        method="due",
        words="if at_s == request.expires_s:",
        others="if True:",
    ),
    _queue(
        "who asked last is served first",
        method="first",
        words="waiting[0][0] < best[0]",
        others="waiting[0][0] > best[0]",
    ),
    _queue(
        "the timeout of one request is that of the client",
        method="wait_s",
        words="if request.timeout_s is None else",
        others="if True else",
    ),
    mutant(
        "the woken request goes on before the reader",
        family="httpx-loops",
        owner=HttpPool,
        method="release_hops",
        words="return 0",
        others="return 1",
    ),
)

MUTANTS = AIOHTTP + HTTPX
