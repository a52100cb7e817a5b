"""Which functions answer health checks."""

import re

from pools.review.requests import route_paths
from pools.review.syntax import Function

_PATH = re.compile(
    r"^/?(?:\w+/){0,3}_?(?:health|healthz|healthcheck|health[-_]check|ready|readyz|readiness|livez"
    r"|live|liveness|alive|startupz|heartbeat|__heartbeat__|ping)(?:/(?:ready|live|db|database|"
    r"readiness|liveness|startup))?/?$",
    re.IGNORECASE,
)
_NAME = re.compile(
    r"^(?:get_|check_|api_)?(?:health|healthz|healthcheck|health_check|readiness|ready|readyz|"
    r"liveness|livez|heartbeat)(?:_check|_probe|_handler|_endpoint|_view|_db|_database)?$",
    re.IGNORECASE,
)


def is_health_check(function: Function | None) -> bool:
    """Whether a function's route, or else its name, is that of a health check."""
    if function is None:
        return False
    paths = [*route_paths(function)]
    if paths:
        return any(_PATH.match(path) for path in paths)
    return _NAME.match(function.name) is not None
