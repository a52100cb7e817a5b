"""Settings of HTTP clients that are not the connector's own: timeouts, and httpx's limits."""

import ast
from collections.abc import Mapping

from pools.review.draft import NOTED, Draft
from pools.review.finding import Shown
from pools.review.made import Made, made
from pools.review.syntax import last_name
from pools.review.things import HTTP, HTTPX_TIMEOUT, LIMITS, TIMEOUT, thing
from pools.review.tree import Module

_HTTPX_TIMEOUTS = {"pool": "pool_timeout", "connect": "connect_timeout"}


def read_client_timeout(draft: Draft) -> None:
    """Take the session's ClientTimeout, whose `connect` bounds the wait for a place."""
    module = draft.module
    for one in [t for t in made(module, TIMEOUT) if _is_session_wide(module, t)][:1]:
        for name, node in one.arguments.items():
            if name == "connect":
                draft.take("connect_timeout", node)
            elif name in NOTED:
                draft.note(name, node)


def read_httpx(draft: Draft, client: Made) -> None:
    """Take an AsyncClient's Limits, and of its timeout what bounds waiting and connecting."""
    limits = _given(draft.module, _transport_of(draft, client), "limits", LIMITS)
    if limits is not None:
        _read_limits(draft, limits)
    whole = client.arguments.get("timeout")
    if whole is None:
        return
    timeout = _given(draft.module, client.arguments, "timeout", HTTPX_TIMEOUT)
    for short, name in _HTTPX_TIMEOUTS.items():
        # A number alone stands for all of httpx's timeouts.
        arguments = {"timeout": whole} if timeout is None else timeout.arguments
        given = arguments.get(short, arguments.get("timeout"))
        if name in draft.known and given is not None:
            draft.take(name, given)


def _read_limits(draft: Draft, limits: Made) -> None:
    """Take what Limits() is given. Alone it has no limits at all, unlike the client's default."""
    for name, node in limits.arguments.items():
        if name in draft.known and not _is_none(node):
            draft.take(name, node)
    if limits.is_open:
        draft.ask("Limits", limits.call, "more limits come from where the text does not show them")
        return
    place, how = draft.module.place(limits.call), "not limited by Limits()"
    for name in ("max_connections", "max_keepalive_connections"):
        known = draft.known[name]
        none = next(iter(known.special), known.high)
        if _is_none(limits.arguments.get(name)) and none is not None:
            draft.found[known.query] = Shown(int(none), place, how)


def _is_none(node: ast.expr | None) -> bool:
    return node is None or (isinstance(node, ast.Constant) and node.value is None)


def _transport_of(draft: Draft, client: Made) -> Mapping[str, ast.expr]:
    """Return the arguments of what holds the connections: the client's own transport, or it.

    A client that is given a transport takes no heed of its own `limits`.
    """
    node = client.arguments.get("transport")
    if node is None or _is_none(node):
        return client.arguments
    bound = draft.module.lookup(node.id, node) if isinstance(node, ast.Name) else []
    call = bound[0].value if len(bound) == 1 else node
    if not isinstance(call, ast.Call):
        draft.ask("transport", node, "its limits are not shown in the text")
        return {}
    return {word.arg: word.value for word in call.keywords if word.arg}


def _given(module: Module, arguments: Mapping[str, ast.expr], name: str, what: str) -> Made | None:
    """Return the Limits or Timeout among arguments, given directly or through a name."""
    node = arguments.get(name)
    for one in made(module, what):
        if node is one.call or (node is not None and last_name(node) == one.name != ""):
            return one
    return None


def _is_session_wide(module: Module, one: Made) -> bool:
    """Whether a ClientTimeout is given to a session, directly or through a name."""
    for session in made(module, HTTP):
        given = session.arguments.get("timeout")
        if given is one.call:
            return True
        if given is not None and thing(module, given) == TIMEOUT and last_name(given) == one.name:
            return True
    return False
