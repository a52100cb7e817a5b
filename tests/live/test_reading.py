"""What a person types about a server: read when it is right, refused in words when it is not."""

import contextlib
import logging
import random
import string
import subprocess
import sys
from collections.abc import Callable
from urllib.parse import quote

import pytest
import trustme

from pools.live.reading import (
    KNOWN_KEYS,
    Form,
    InvalidTarget,
    http_from_url,
    postgres_from_dsn,
    postgres_from_form,
)
from pools.live.secret import Secret
from pools.live.target import OwnHttp, OwnPostgres, from_order, to_order, warning
from tests.live.processes import ROOT

CANARY = "cAnArY7b1f"
MALFORMED = 1_200
# Each turns a good DSN with the canary as its password into a bad one.
SPOIL: dict[str, Callable[[random.Random], str]] = {
    "slash in the password": lambda r: f"postgresql://u:{CANARY}/x@db/d",
    "hash in the password": lambda r: f"postgresql://u:{CANARY}#x@db/d",
    "question mark in the password": lambda r: f"postgresql://u:{CANARY}?x@db/d",
    "at in the password": lambda r: f"postgresql://u:x@{CANARY}@db/d",
    "colon in the password": lambda r: f"postgresql://u:x:{CANARY}@db/d",
    "percent in the password": lambda r: f"postgresql://u:%{r.choice('gz-')}{CANARY}@db/d",
    "password where the port is": lambda r: f"postgresql://u@db:{CANARY}/d",
    "password as a key": lambda r: f"postgresql://u@db/d?{CANARY}",
    "password as a value": lambda r: f"postgresql://u@db/d?{r.choice(KEYS)}={CANARY}",
    "password as the mode": lambda r: f"postgresql://u@db/d?sslmode={CANARY}",
    "another scheme": lambda r: f"{r.choice(SCHEMES)}://u:{CANARY}@db/d",
    "no scheme": lambda r: f"u:{CANARY}@db:5432/d",
    "libpq's words": lambda r: f"host=db user=u password={CANARY}",
    "no user": lambda r: f"postgresql://:{CANARY}@db/d",
    "no host": lambda r: f"postgresql://u:{CANARY}@/d",
    "no database": lambda r: f"postgresql://u:{CANARY}@db{r.choice(['', '/'])}",
    "two hosts": lambda r: f"postgresql://u:{CANARY}@db1,db2/d",
    "a socket": lambda r: f"postgresql://u:{CANARY}@%2Ftmp/d",
    "a port out of range": lambda r: f"postgresql://u:{CANARY}@db:{r.randint(65_536, 10**9)}/d",
    "a port that is no number": lambda r: f"postgresql://u:{CANARY}@db:{r.choice('٣²x-')}/d",
    "an odd address": lambda r: f"postgresql://u:{CANARY}@{r.choice(ODD)}/d",
    "a control character": lambda r: f"postgresql://u:{CANARY}{chr(r.randrange(1, 33))}x@db/d",
    "an encoded null": lambda r: f"postgresql://u:{CANARY}%00@db/d",
    "not UTF-8": lambda r: f"postgresql://u:{CANARY}%ff@db/d",
    "an invisible character": lambda r: f"postgresql://u:{CANARY}{r.choice(HIDDEN)}x@db/d",
    "too long": lambda r: f"postgresql://u:{CANARY * 200}@db/d",
    "a password too long": lambda r: f"postgresql://u:{CANARY * 30}@db/d",
    "a user too long": lambda r: f"postgresql://{'u' * 64}:{CANARY}@db/d",
    "a full-width sign": lambda r: f"postgresql://u:{CANARY}@d\uff0fb/d",
    "another script": lambda r: f"postgresql://u:{CANARY}@d\u0431/d",
}
SPOIL_URL: dict[str, Callable[[random.Random], str]] = {
    "a login": lambda r: f"https://u:{CANARY}@host/",
    "a user alone": lambda r: f"https://{CANARY}@host/",
    "a fragment": lambda r: f"https://host/?token={CANARY}#x",
    "another scheme": lambda r: f"{r.choice(['file', 'ftp', 'unix', 'ws'])}://host/?t={CANARY}",
    "a space": lambda r: f"https://host/?t={CANARY} x",
    "a line end": lambda r: f"https://host/?t={CANARY}\r\nx: y",
    "no host": lambda r: f"https:///?t={CANARY}",
    "a port out of range": lambda r: f"https://host:{r.randint(65_536, 10**6)}/?t={CANARY}",
    "a port that is no number": lambda r: f"https://host:{CANARY}/",
    "an odd address": lambda r: f"https://{r.choice(ODD)}/?t={CANARY}",
    "another script": lambda r: f"https://host/\u0431?t={CANARY}",
    "too long": lambda r: f"https://host/?t={CANARY * 300}",
}
KEYS = [*sorted(KNOWN_KEYS), CANARY]
SCHEMES = ["postgres ql", "mysql", "http", "postgresql+psycopg2cffi", "jdbc:postgresql", ""]
ODD = ["0x7f000001", "2130706433", "127.1", "017700000001", "127.0.0.1.", "[::1%lo]", "[::g]", "1"]
ODD += ["::1", "-db", "db..x", "a_b.-c", "*", "db%20x", "[127.0.0.1", "127.0.0.256", "0x7f.1"]
HIDDEN = ["\u200b", "\u202e", "\ufeff", "\u2066", "\xa0", "\x7f", "\u2028"]


def _said(act: Callable[[], object]) -> str:
    """Return the refusal, with everything an exception could be printed with."""
    with pytest.raises(InvalidTarget) as caught:
        act()
    chain = [caught.value, caught.value.__cause__]
    return "\n".join(str(one) + repr(one) for one in chain if one is not None)


def test_over_a_thousand_malformed_dsns_and_urls_are_refused_in_words_without_their_secret(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for seed in range(MALFORMED):
        rng = random.Random(seed)
        what = rng.choice([*SPOIL, *SPOIL_URL])
        text = (SPOIL.get(what) or SPOIL_URL[what])(rng)
        if what in SPOIL and rng.random() < 0.3:
            text = text.replace("postgresql://", "postgres://").replace("@db", "@db.example.org")
        read = postgres_from_dsn if what in SPOIL else http_from_url
        said = _said(lambda read=read, text=text: read(Secret(text)))  # type: ignore[misc]
        assert CANARY not in said, (seed, what)
        assert said.strip(), (seed, what)
        assert "must" in said or " has " in said, (seed, what, said)
    written = capfd.readouterr()
    assert CANARY not in written.out + written.err + caplog.text


def test_any_text_is_read_or_refused_and_nothing_else_happens() -> None:
    alphabet = string.printable + "@:/?#%[]\u0431\u200b\x00"
    for seed in range(3_000):
        rng = random.Random(seed)
        junk = "".join(rng.choice(alphabet) for _ in range(rng.randrange(0, 60)))
        for read, head in ((postgres_from_dsn, "postgresql://"), (http_from_url, "https://")):
            with contextlib.suppress(InvalidTarget):
                read(Secret(rng.choice(["", head]) + junk))  # type: ignore[operator]


@pytest.mark.parametrize("key", sorted(KNOWN_KEYS))
def test_every_parameter_but_sslmode_is_refused_by_its_name_before_any_file_is_touched(
    key: str,
) -> None:
    said = _said(lambda: postgres_from_dsn(Secret(f"postgresql://u:p@db/d?{key}=/dev/{CANARY}")))
    assert f"DSN has {key};" in said
    assert CANARY not in said


def test_reading_opens_no_file_and_no_socket() -> None:
    code = (
        "import sys, os\n"
        "from pools.live.reading import *\n"
        "from pools.live.secret import Secret\n"
        "seen = []\n"
        "sys.addaudithook(lambda e, a: seen.append(e) if e in ('open', 'socket.__new__') else 0)\n"
        "for q in ('sslrootcert=/etc/passwd', 'passfile=/etc/passwd', 'sslmode=require'):\n"
        "    try: postgres_from_dsn(Secret('postgresql://u:p@db/d?' + q))\n"
        "    except InvalidTarget: pass\n"
        "print(seen)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("dsn", "host", "port", "mode"),
    [
        ("postgresql://u:p@db.example.org/d", "db.example.org", 5432, "verify-full"),
        ("postgres://u:p@10.0.0.7:6432/d", "10.0.0.7", 6432, "verify-full"),
        ("postgresql+asyncpg://u:p@[fd00::7]:1/d", "fd00::7", 1, "verify-full"),
        ("postgresql://u:p@[fd00::7]/d", "fd00::7", 5432, "verify-full"),
        ("postgresql://u:p@localhost/d", "localhost", 5432, "disable"),
        ("postgresql://u:p@127.0.0.1:/d", "127.0.0.1", 5432, "disable"),
        ("postgresql://u:p@db/d?sslmode=require", "db", 5432, "require"),
        ("postgresql://u:p@db/d?sslmode=disable", "db", 5432, "disable"),
        (" postgresql://u:p@[::1]/d?sslmode=verify-full\n", "::1", 5432, "verify-full"),
    ],
)
def test_a_dsn_is_read_part_by_part_and_tls_is_verified_unless_said_otherwise(
    dsn: str, host: str, port: int, mode: str
) -> None:
    read = postgres_from_dsn(Secret(dsn))
    assert (read.host, read.port, read.user, read.database) == (host, port, "u", "d")
    assert read.password.reveal() == "p"
    assert read.tls.mode == mode


def test_any_password_can_be_written_percent_encoded() -> None:
    for seed in range(300):
        rng = random.Random(seed)
        password = "".join(rng.choice(string.printable[:95] + "äß€@/?#%:") for _ in range(20))
        read = postgres_from_dsn(Secret(f"postgresql://u:{quote(password, safe='')}@db/d"))
        assert read.password.reveal() == password


def test_a_form_names_every_field_that_is_wrong() -> None:
    form = Form("", "", "", "0", Secret("x" * 300), "prefer", b"no certificate")
    said = _said(lambda: postgres_from_form(form)).splitlines()
    fields = ["host", "port", "user", "database", "password", "sslmode", "CA file"]
    assert [field for field in fields if any(line.startswith(field) for line in said)] == fields


def test_an_uploaded_authority_replaces_those_of_the_machine_and_turns_verification_on() -> None:
    pem = trustme.CA().cert_pem.bytes()
    read = postgres_from_form(Form("localhost", "u", "d", ca=pem))
    assert read.tls.mode == "verify-full"
    assert read.tls.ca == pem.decode()
    said = _said(lambda: postgres_from_form(Form("db", "u", "d", ca=pem * 100)))
    assert "64 KiB" in said


def test_a_url_keeps_its_path_and_query_to_itself() -> None:
    read = http_from_url(Secret(f"https://API.example.org/v1?token={CANARY}"), method="HEAD")
    assert (read.scheme, read.host, read.port, read.method) == (
        "https",
        "API.example.org",
        443,
        "HEAD",
    )
    assert read.resource.reveal() == f"/v1?token={CANARY}"
    assert CANARY not in repr(read) + read.name + str(read)
    assert http_from_url(Secret("http://[::1]:8080")).resource.reveal() == "/"


def test_only_get_and_head_are_sent() -> None:
    assert "GET or HEAD" in _said(lambda: http_from_url(Secret("http://h/"), method="POST"))


@pytest.mark.parametrize(
    "target",
    [
        postgres_from_dsn(Secret(f"postgresql://u:{CANARY}@db/d")),
        http_from_url(Secret(f"https://h/{CANARY}")),
    ],
)
def test_a_target_travels_whole_and_shows_nothing(target: OwnPostgres | OwnHttp) -> None:
    assert from_order(to_order(target)) == target
    assert CANARY not in repr(target) + str(target) + target.name


def test_less_than_verified_tls_is_warned_of_unless_it_stays_on_this_machine() -> None:
    def of(place: str, mode: str) -> str:
        return warning(postgres_from_dsn(Secret(f"postgresql://u@{place}/d?sslmode={mode}")))

    assert "not checked" in of("db", "require")
    assert "in the clear" in of("db", "disable")
    assert of("db", "verify-full") == of("localhost", "disable") == ""
