"""Every failure is said in words: a code, a title, a next step, never a traceback or a secret."""

import asyncpg
import pytest
import sqlalchemy.exc

from pools.live import problems
from pools.live.postgres import ServerFailed
from pools.live.problems import LiveCheckFailed, Problem, explain

SECRET = "canary-password"
WRAPPED = asyncpg.TooManyConnectionsError(SECRET)


def _wrapped() -> sqlalchemy.exc.DBAPIError:
    inner = RuntimeError(SECRET)
    inner.__cause__ = asyncpg.TooManyConnectionsError(SECRET)
    return sqlalchemy.exc.DBAPIError("SELECT 1", {}, inner)


ERRORS = {
    "PW-DB-53300": asyncpg.TooManyConnectionsError(SECRET),
    "PW-DB-57P03": asyncpg.CannotConnectNowError(SECRET),
    "PW-DB-57P01": asyncpg.AdminShutdownError(SECRET),
    "PW-DB-28P01": asyncpg.InvalidPasswordError(SECRET),
    "PW-DB-08003": asyncpg.ConnectionDoesNotExistError(SECRET),
    "PW-LIVE-timeout": TimeoutError(),
    "PW-LIVE-os": OSError(28, "No space left on device"),
    "PW-LIVE-memory": MemoryError(),
    "PW-LIVE-unexpected": ValueError(SECRET),
    **{f"PW-LIVE-{code}": ServerFailed(code, SECRET) for code in problems.BY_SERVER_CODE},
}


@pytest.mark.parametrize("step", problems.TIMEOUTS)
@pytest.mark.parametrize("code", ERRORS)
def test_every_error_has_its_code_and_words_of_our_own(code: str, step: str) -> None:
    problem = explain(ERRORS[code], step)
    assert problem.code == code
    assert all((problem.title, problem.cause, problem.next_step))
    assert SECRET not in str(problem)
    assert "None" not in str(problem)


def test_an_error_wrapped_by_sqlalchemy_is_seen_through() -> None:
    assert explain(_wrapped(), "load").code == "PW-DB-53300"


def test_a_timeout_says_which_one_it_was() -> None:
    said = {explain(TimeoutError(), step).cause for step in problems.TIMEOUTS}
    assert len(said) == len(problems.TIMEOUTS)
    assert all("timeout" in cause for cause in said)


def test_a_problem_is_passed_on_as_it_is() -> None:
    problem = Problem("PW-LIVE-x", "Title", "Cause.", "Next.")
    assert explain(LiveCheckFailed(problem), "load") is problem


def test_unprintable_text_of_the_system_is_not_shown() -> None:
    assert "\x1b" not in explain(OSError(1, "\x1b[31mred"), "load").cause
