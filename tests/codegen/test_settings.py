"""The generated settings, and the Kubernetes and Compose variables that set them."""

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from pydantic import ValidationError

from pools.codegen import GeneratedCode, Options, generate
from pools.kinds import KINDS, Pool
from sim.query import parse
from sim.scenario import Scenario
from tests.codegen.support import examples, module_for, modules_with
from tests.strategies import scenarios

KINDS_WITH_SETTINGS = [kind for kind in KINDS if modules_with(kind, "settings")]
URL = "postgresql://user:pass%40word@localhost/name"


def read(scenario: Scenario, environment: dict[str, str]) -> dict[str, Any]:
    """Return the settings that a scenario's module reads from an environment."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("DATABASE_URL", URL)
        for name, value in environment.items():
            patched.setenv(name, value)
        made: dict[str, Any] = module_for(scenario, "settings").settings().model_dump()
    return made


def file(code: GeneratedCode, name: str) -> str:
    [found] = [made.text for made in code.files if made.name == name]
    return found


def kubernetes(scenario: Scenario, options: Options | None = None) -> dict[str, Any]:
    code = generate(scenario, "deployment", options=options)
    made: dict[str, Any] = yaml.safe_load(file(code, "kubernetes.yaml"))
    return made


def compose(scenario: Scenario, options: Options | None = None) -> dict[str, Any]:
    code = generate(scenario, "deployment", options=options)
    made: dict[str, Any] = yaml.safe_load(file(code, "compose.yaml"))
    return made


def _plain(pool: Pool) -> Scenario:
    """Return the defaults of a pool's kind, written with the parameters that the pool has."""
    if getattr(pool, "force_close", False):
        return parse("kind=aiohttp&force_close=true")
    version = getattr(pool, "version", "")
    return parse(f"kind={pool.name}" + (f"&version={version}" if version else ""))


def container(manifest: dict[str, Any]) -> dict[str, Any]:
    [found] = manifest["spec"]["template"]["spec"]["containers"]
    made: dict[str, Any] = found
    return made


@examples(30)
@given(scenarios())
def test_variables_say_what_the_settings_say_by_themselves(scenario: Scenario) -> None:
    plain = _plain(scenario.pool)
    env = container(kubernetes(scenario))["env"]
    by_kubernetes = {one["name"]: one["value"] for one in env if "value" in one}
    [service, *_] = compose(scenario)["services"].values()
    by_compose = dict(service["environment"])
    by_compose.pop("DATABASE_URL", None)
    assert by_kubernetes == by_compose
    assert all(isinstance(value, str) for value in by_kubernetes.values())
    # The scenario's variables turn the settings of the plain code into the scenario's.
    assert read(plain, by_kubernetes) == read(scenario, {})
    assert len(by_kubernetes) >= len(read(scenario, {})) - 2


@pytest.mark.parametrize("kind", KINDS_WITH_SETTINGS)
def test_misspelt_value_is_named_and_no_secret_is_shown(kind: str) -> None:
    name = "HTTP_TOTAL_TIMEOUT" if KINDS[kind].serves == "http" else "DB_COMMAND_TIMEOUT"
    with pytest.raises(ValidationError) as refused:
        read(Scenario(pool=KINDS[kind]()), {name: "soon-pass@word"})
    assert name.partition("_")[2].lower() in str(refused.value)
    assert "pass@word" not in str(refused.value)


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS_WITH_SETTINGS if KINDS[kind].serves == "database"]
)
def test_password_is_not_shown_by_the_settings(kind: str) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("DATABASE_URL", URL)
        made = module_for(Scenario(pool=KINDS[kind]()), "settings")
        assert "word" not in repr(made.settings())
        assert made.database_url() == URL


@pytest.mark.parametrize("kind", KINDS_WITH_SETTINGS)
def test_value_out_of_range_is_refused(kind: str) -> None:
    name = "HTTP_TOTAL_TIMEOUT" if KINDS[kind].serves == "http" else "DB_COMMAND_TIMEOUT"
    with pytest.raises(ValidationError, match="greater than 0"):
        read(Scenario(pool=KINDS[kind]()), {name: "-1"})


@examples(30)
@given(scenarios())
def test_pod_is_given_time_for_everything_that_shutdown_does(scenario: Scenario) -> None:
    pod = kubernetes(scenario)["spec"]["template"]["spec"]
    [one] = pod["containers"]
    [grace_s] = [int(word.partition("=")[2]) for word in one["command"] if "graceful" in word]
    pause_s = int(one["lifecycle"]["preStop"]["exec"]["command"][1])
    drain_s = max(30, 10 * scenario.workload.held_s_mean)
    assert pod["terminationGracePeriodSeconds"] >= pause_s + grace_s + drain_s + 10
    probe = one["readinessProbe"]
    assert 1 < probe["timeoutSeconds"] <= probe["periodSeconds"]
    assert one["livenessProbe"]["httpGet"]["path"] == "/live"


@pytest.mark.parametrize("kind", KINDS_WITH_SETTINGS)
def test_secret_comes_from_a_secret(kind: str) -> None:
    code = generate(Scenario(pool=KINDS[kind]()), "deployment")
    for made in code.files:
        secrets = [line for line in made.text.splitlines() if "password" in line.lower()]
        assert all("${" in line or line.startswith("#") for line in secrets)
    named = {one["name"]: one for one in container(kubernetes(Scenario(pool=KINDS[kind]())))["env"]}
    if KINDS[kind].serves == "database":
        assert "secretKeyRef" in named["DATABASE_URL"]["valueFrom"]


def test_fleet_and_server_are_the_scenarios() -> None:
    scenario = parse("replicas=6&workers=3&max_connections=250")
    manifest, composed = kubernetes(scenario), compose(scenario)
    assert manifest["spec"]["replicas"] == 6
    assert manifest["spec"]["strategy"]["rollingUpdate"]["maxSurge"] == 2
    assert "--workers=3" in container(manifest)["command"]
    assert composed["services"]["service"]["deploy"]["replicas"] == 6
    assert composed["services"]["database"]["command"][-1] == "max_connections=250"


@pytest.mark.parametrize(
    ("service", "label"),
    [
        ("orders", "orders"),
        ("Orders API", "orders-api"),
        ("--\"'; é {{ 7 }} ${X} #", "s-7-x"),
        ("日本", "s"),
        ("9lives", "s-9lives"),
    ],
)
def test_any_name_of_a_service_becomes_a_label_that_kubernetes_accepts(
    service: str, label: str
) -> None:
    manifest = kubernetes(Scenario(), Options(service=service))
    assert manifest["metadata"]["name"] == label
    assert manifest["spec"]["selector"]["matchLabels"] == {"app": label}
    assert json.dumps(manifest)
