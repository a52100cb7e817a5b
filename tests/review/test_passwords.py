"""A password in pasted code is found, and appears in nothing that comes back."""

import ast
import json
import string
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pools.review import Reading, as_markdown, checklist, costs, read
from pools.review.dsn import is_real, parse_dsn
from pools.review.report import as_sarif, as_text
from sim.query import parse

PREFIX = "Zq9"
SHAPES: tuple[Callable[[str], str], ...] = (
    lambda p: (
        f"from sqlalchemy.ext.asyncio import create_async_engine\n"
        f"U = {f'postgresql+asyncpg://app:{p}@db.prod.net/x'!r}\n"
        "e = create_async_engine(U, pool_size=200)\n"
    ),
    lambda p: f"import os\nU = os.environ.get('U', {f'postgres://app:{p}@10.0.0.1/x?a=b'!r})\n",
    lambda p: (
        f"import asyncpg\nPW = {p!r}\n"
        "pool = asyncpg.create_pool(host='db.prod.net', user='u', password=PW, max_size=900)\n"
    ),
    lambda p: (
        f"import asyncpg\nO = {{'user': 'u', 'password': {p!r}}}\n"
        "pool = asyncpg.create_pool(**O, max_size=900)\n"
    ),
    lambda p: (
        f"import aiohttp\nc = aiohttp.TCPConnector(ssl=False); a = aiohttp.BasicAuth('u', {p!r})\n"
    ),
    lambda p: (
        f"PW = {p!r}\nU = f'postgresql://u:{{PW}}@db.prod.net/x'\nimport sqlalchemy\n"
        "e = sqlalchemy.create_engine(U, pool_size=PW, max_overflow=900)\n"
    ),
    lambda p: (
        f"class S:\n    password: str = {p!r}\n    @property\n    def url(self):\n"
        "        return f'postgresql://u:{self.password}@db.prod.net/x'\n"
    ),
    lambda p: (
        f"import sqlalchemy\ne = sqlalchemy.create_engine('postgresql://u:' + {p!r} + '@h.net/d')\n"
    ),
)
REAL = st.text(
    string.ascii_letters + string.digits + "!$%&()*+,-.;=[]^_{|}~'#?/@ ", min_size=5
).map(lambda tail: PREFIX + tail.strip()[:40] + "7x")


def everything_shown(reading: Reading) -> str:
    scenario = parse("rate=20&duration_s=2&warm_up_s=0&replications=2")
    priced = costs(reading.findings, scenario)
    items = checklist(scenario, reading)
    return "\n".join(
        [
            as_text([reading]),
            as_sarif([reading]),
            repr(reading),
            reading.summary,
            repr(priced),
            as_markdown(items),
        ]
    )


@given(REAL, st.sampled_from(range(len(SHAPES))))
def test_no_password_is_shown_whatever_it_is_made_of(password: str, shape: int) -> None:
    text = SHAPES[shape](password)
    ast.parse(text)
    shown = everything_shown(read(text))
    assert PREFIX not in shown
    assert password not in shown


@pytest.mark.parametrize("shape", range(len(SHAPES)))
def test_a_real_password_is_found_in_every_shape(shape: int) -> None:
    found = [finding.rule for finding in read(SHAPES[shape]("Zq9k.Lw27x")).findings]
    assert found.count("password-in-source") == 1


def test_a_patch_beside_a_password_gives_way_to_words() -> None:
    text = (
        "from sqlalchemy.ext.asyncio import create_async_engine\n"
        'U = "postgresql+asyncpg://app:Zq9k.Lw27x@db.prod.net/x"\n'
        "e = create_async_engine(U)\n"
    )
    fixes = {finding.rule: finding.fix for finding in read(text).findings}
    assert fixes["no-validation"].startswith("Add pool_pre_ping=True")
    far = text.replace("e = ", "\n\n\n\ne = ")
    fixes = {finding.rule: finding.fix for finding in read(far).findings}
    assert fixes["no-validation"].startswith("--- a/pasted")


def test_a_patch_shows_no_line_that_names_a_secret() -> None:
    text = (
        "import aiohttp\n"
        'HEADERS = {"Authorization": "Bearer Zq9abcdef"}\n'
        "c = aiohttp.TCPConnector(ssl=False)\n"
    )
    [finding] = read(text).findings
    assert not finding.is_patch
    assert "Zq9" not in finding.fix


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://user:password@host:5432/db",
        "postgresql://postgres:postgres@localhost/app",
        "postgresql://app:app@127.0.0.1/app",
        "postgresql://root:root@db/app",
        "postgresql://u:<password>@prod.example.net/x",
        "postgresql://u:${DB_PASSWORD}@prod.net/x",
        "postgresql://u:$PGPASSWORD@prod.net/x",
        "postgresql://u:{password}@prod.net/x",
        "postgresql://u:%s@prod.net/x",
        "postgresql://u:***@prod.net/x",
        "postgresql://u:xxxx@prod.net/x",
        "postgresql://u:changeme@prod.net/x",
        "postgresql://u:your-password@prod.net/x",
        "postgresql://u:YOUR_PASSWORD@prod.net/x",
        "postgresql://u:@prod.net/x",
        "postgresql://u@prod.net/x",
        "https://example.com/@user:name",
        "mailto:someone@example.com",
    ],
)
def test_placeholders_and_everybody_s_local_defaults_are_no_finding(address: str) -> None:
    assert read(f"import sqlalchemy\nU = {address!r}\n").findings == ()


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://app:s3cr3t!@localhost/app",
        "postgresql://postgres:postgres@db.prod.net/app",
        "mysql://root:P@$$w0rd%21@10.1.2.3/app",
        "redis://default:9fJk2mQx@cache.prod.net:6379/0",
        "amqp://svc:a/b?c#d@mq.prod.net//",
    ],
)
def test_real_passwords_are_findings_also_with_odd_characters(address: str) -> None:
    [finding] = read(f"import sqlalchemy\nU = {address!r}\n").findings
    assert finding.rule == "password-in-source"


def test_an_address_is_split_without_ever_raising() -> None:
    dsn = parse_dsn("postgresql+asyncpg://u:p:q@r@h.net:6432/d?x=1&y")
    assert dsn is not None
    assert (dsn.scheme, dsn.user, dsn.password) == ("postgresql+asyncpg", "u", "p:q@r")
    assert (dsn.host, dsn.port, dict(dsn.query)) == ("h.net", 6432, {"x": "1", "y": ""})
    assert "p:q" not in repr(dsn)


@given(st.text(max_size=80))
def test_any_text_can_be_tried_as_an_address(text: str) -> None:
    dsn = parse_dsn(f"postgresql://{text}")
    assert dsn is not None
    assert isinstance(is_real(dsn.password, dsn.user, dsn.host), bool)


def test_an_address_alone_is_read_and_its_password_dropped() -> None:
    reading = read("postgresql://u:Zq9secret@h:6432/d?max_size=4&password=Zq9123")
    assert reading.values == {"max_size": 4}
    assert "Zq9" not in json.dumps(repr(reading))
