"""Command lines and configuration move the sliders too."""

import pytest

from pools.review import read
from pools.setting import Value


@pytest.mark.parametrize(
    "text",
    [
        "gunicorn -w 4 app:app",
        "gunicorn app:app -w4 -k uvicorn.workers.UvicornWorker",
        "$ gunicorn --workers=4 --bind 0.0.0.0:80 app.main:app",
        "uvicorn app:app --host 0.0.0.0 --workers 4",
        "python -m uvicorn app:app --workers 4",
        "exec gunicorn app:app \\\n  --timeout 30 \\\n  --workers 4",
        "web: gunicorn app:app --workers 4",
        'CMD ["gunicorn", "--workers", "4", "app:app"]',
        'command: ["uvicorn", "app:app", "--workers", "4"]',
        "uvicorn app:app --workers ${WORKERS:-4}",
        "fastapi run app/main.py --workers 4",
        "WEB_CONCURRENCY=4",
        "export WEB_CONCURRENCY=4",
        "ENV WEB_CONCURRENCY=4",
        "env:\n  - name: WEB_CONCURRENCY\n    value: '4'\n",
        "bind = '0.0.0.0:80'\nworkers = 4\n",
        "import uvicorn\nif __name__ == '__main__':\n    uvicorn.run('app:app', workers=4)\n",
        '"""Run it: gunicorn app:app -w 4"""\nimport aiohttp\n',
        "# uvicorn app:app --workers 4\nimport aiohttp\n",
        "import aiohttp\nx = 1\n\ngunicorn app:app -w 4\n",
        "```sh\ngunicorn app:app -w 4\n```\n",
    ],
)
def test_workers_are_found_however_they_are_given(text: str) -> None:
    reading = read(text)
    assert reading.problem == ""
    assert reading.values == {"workers": 4}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("DB_POOL_SIZE=20\nDB_MAX_OVERFLOW=0\n", {"pool_size": 20, "max_overflow": 0}),
        ("SQLALCHEMY_POOL_PRE_PING=true", {"pool_pre_ping": True}),
        (
            "database:\n  pool_size: 20\n  pool_recycle: 1800\n",
            {"pool_size": 20, "pool_recycle": 1800},
        ),
        ("[db]\nmin_size = 2\nmax_size = 9 ; most\n", {"min_size": 2, "max_size": 9}),
        ("replicas: 3\n", {"replicas": 3}),
        ("max_connections = 300  # more\n", {"max_connections": 300}),
        ("postgres -c max_connections=250 -c shared_buffers=1GB\n", {"max_connections": 250}),
        ("postgresql://app@db/x?min_size=2&max_size=8", {"min_size": 2, "max_size": 8}),
    ],
)
def test_configuration_is_read_by_the_names_people_use(text: str, values: dict[str, Value]) -> None:
    assert read(text).values == values


def test_the_pool_kind_is_that_of_the_settings_named() -> None:
    assert read("DB_POOL_SIZE=20").kind == "sqlalchemy"
    assert read("max_size=4\nmin_size=2").kind == "asyncpg"
    assert read("limit_per_host: 4").kind == "aiohttp"
    assert read("replicas: 3").kind is None


def test_a_pooler_s_settings_are_noted() -> None:
    reading = read("[pgbouncer]\npool_mode = transaction\ndefault_pool_size = 20\n")
    assert reading.noted == {"pool_mode": "transaction", "default_pool_size": "20"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("POOL_SIZE=many", "must be a whole number from 0 to 500 connections"),
        ("POOL_SIZE=$SIZE", "is decided where the text does not show it"),
        ("POOL_SIZE=5\nDB_POOL_SIZE=6", "is given twice, first on line 1"),
        ("import multiprocessing\nworkers = multiprocessing.cpu_count() * 2 + 1", "cores"),
    ],
)
def test_what_configuration_does_not_decide_is_asked(text: str, why: str) -> None:
    [asked] = read(text).not_understood
    assert why in asked.why


def test_a_broken_module_is_not_mistaken_for_configuration() -> None:
    reading = read("import aiohttp\ndef f(:\n    pool_size=20\n")
    assert reading.problem.startswith("Line 2 is not valid Python")
    assert reading.values == {}


def test_workers_of_the_command_line_count_for_the_pools_of_the_module() -> None:
    module = "import asyncpg\npool = asyncpg.create_pool(max_size=20)\n"
    assert read(module).findings == ()
    [finding] = read(f"# gunicorn -w 8 app:app\n{module}").findings
    assert finding.rule == "over-budget"
    assert "8 workers x 20" in finding.why
