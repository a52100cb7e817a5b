"""The settings as environment variables, as the generated `settings.py` reads them."""

from dataclasses import dataclass, replace

from pools.codegen.reason import Plain, Value, by_rule
from pools.codegen.timeouts import CHOICE, Timeouts, server_settings_ms, timeout_values
from pools.codegen.view import PoolView
from pools.kinds import Pool
from pools.setting import settings_of

NONE = "none"
# The numbers by which a setting says None to its library.
NONE_AT = {
    "init_size": -1,
    "acquire_timeout": 0.0,
    "connect_timeout": 0.0,
    "max_connections": 0,
    "max_size": 0,
    "pool_timeout": 0.0,
}
NOT_SET = {"version"}


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable's name and its text."""

    name: Value
    text: Value


def variables(pool: Pool, made: Timeouts) -> tuple[Variable, ...]:
    """Return the variables that say what `settings.py` says by itself."""
    prefix = "DB_" if pool.serves == "database" else "HTTP_"
    return tuple(
        Variable(
            by_rule("name", prefix + name.upper(), "As settings.py calls it.", CHOICE),
            replace(value, plain=_text(name, value.plain)),
        )
        for name, value in _settings(pool, made).items()
    )


def _settings(pool: Pool, made: Timeouts) -> dict[str, Value]:
    view, values = PoolView(pool), timeout_values(made)
    left_out = NOT_SET | _excluded(pool)
    found = {n: getattr(view, n) for n in settings_of(type(pool)) if n not in left_out}
    if pool.serves == "http":
        beside = ["http_total_s"] + ["http_sock_connect_s"] * (pool.name == "aiohttp")
        return found | {values[field].reason.name: values[field] for field in beside}
    found |= {values[field].reason.name: values[field] for field in ("connect_s", "command_s")}
    return found | dict(server_settings_ms(made))


def _excluded(pool: Pool) -> set[str]:
    """Return the one of aiohttp's two settings that exclude each other that is not used."""
    if not hasattr(pool, "force_close"):
        return set()
    return {"keepalive_timeout"} if pool.force_close else {"force_close"}


def _text(name: str, value: Plain) -> str:
    if value is None or (not isinstance(value, bool) and value == NONE_AT.get(name)):
        return NONE
    return str(value).lower() if isinstance(value, bool) else str(value)
