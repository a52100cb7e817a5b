"""The secrets of whoever runs Poolwise stay with them, whatever a check is pointed at."""

import os
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.live.poisoned import GIVEN
from tests.live.processes import ROOT
from tests.live.rogue import Rogue

pytestmark = pytest.mark.server
CANARY = "operator-cAnArY4d"


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def rogue(authority: trustme.CA) -> Iterator[Rogue]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_OPTIONAL  # whoever has a certificate shall show it
    made = Rogue(context)
    yield made
    made.close()


@pytest.fixture
def environment(tmp_path: Path, authority: trustme.CA, rogue: Rogue) -> dict[str, str]:
    """Fill every place that a PostgreSQL or HTTP client may take a secret from."""
    (tmp_path / "ca.pem").write_bytes(authority.cert_pem.bytes())
    (tmp_path / ".pgpass").write_text(f"*:*:*:*:{CANARY}\n")
    service = f"[{CANARY}]\nhost=127.0.0.1\nport={rogue.port}\nuser={CANARY}\npassword={CANARY}\n"
    (tmp_path / ".pg_service.conf").write_text(service)
    (tmp_path / ".netrc").write_text(f"machine 127.0.0.1 login {CANARY} password {CANARY}\n")
    (tmp_path / ".postgresql").mkdir()
    certificate = authority.issue_cert(f"{CANARY}.example.org", common_name=CANARY)
    certificate.private_key_pem.write_to_path(tmp_path / ".postgresql" / "postgresql.key")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / ".postgresql" / "postgresql.crt")
    authority.cert_pem.write_to_path(tmp_path / ".postgresql" / "root.crt")
    for secret in (".pgpass", ".netrc", ".postgresql/postgresql.key"):
        (tmp_path / secret).chmod(0o600)
    names = ("PGPASSWORD", "PGUSER", "PGDATABASE", "PGSERVICE", "PGOPTIONS", "PGAPPNAME")
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PGPASSFILE": str(tmp_path / ".pgpass"),
        "PGSERVICEFILE": str(tmp_path / ".pg_service.conf"),
        "PGHOST": "127.0.0.1",
        "PGPORT": str(rogue.port),
        "PGSSLMODE": "prefer",
        "PGSSLCERT": str(tmp_path / ".postgresql" / "postgresql.crt"),
        "PGSSLKEY": str(tmp_path / ".postgresql" / "postgresql.key"),
        "NETRC": str(tmp_path / ".netrc"),
        "HTTP_PROXY": f"http://{CANARY}:{CANARY}@127.0.0.1:{rogue.port}",
        "HTTPS_PROXY": f"http://{CANARY}:{CANARY}@127.0.0.1:{rogue.port}",
        **dict.fromkeys(names, CANARY),
    }


def _run(what: str, environment: dict[str, str], rogue: Rogue) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "tests.live.poisoned", what, str(rogue.port), "ca.pem"],
        check=False,
        capture_output=True,
        text=True,
        cwd=environment["HOME"],
        env=environment | {"PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    assert CANARY not in done.stdout + done.stderr
    return done.stdout


def test_no_client_sends_a_secret_of_the_operator(
    environment: dict[str, str], rogue: Rogue
) -> None:
    tried = int(_run("all", environment, rogue))
    assert tried == 6 * 7 + 4 + 2
    assert rogue.connects >= tried
    heard = bytes(rogue.heard)
    assert heard.count(GIVEN.encode()) >= 2 * 7
    assert CANARY.encode() not in heard


def test_the_poison_works_on_a_client_that_is_given_less(
    environment: dict[str, str], rogue: Rogue
) -> None:
    _run("leak", environment, rogue)
    heard = bytes(rogue.heard)
    assert heard.count(CANARY.encode()) >= 2  # the password and the client certificate's name
