"""The Helm chart: what it renders is valid, locked up, and scales as the stream allows."""

from __future__ import annotations

import copy
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from triage.cli import app
from triage.models.tally import COUNTS
from triage.route import check
from triage.settings import Settings
from triage.web.desk.answers import load_answers

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy" / "helm" / "triage"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "triage" / "bin"
VALUES = sorted((CHART / "ci").glob("*.yaml"))
VARIABLES = {f"TRIAGE_{name.upper()}" for name in Settings.model_fields}

Manifest = dict[str, Any]
Render = Callable[..., list[Manifest]]


class Refused(Exception):
    """Helm did not render; the message is its own."""


def tool(name: str) -> str:
    """Find a tool of `.ci/deploy-check`; skip without it, fail in CI."""
    found = shutil.which(name) or shutil.which(name, path=CACHE)
    if found:
        return found
    message = f"{name} is not there: run .ci/deploy-check (needs Go)"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="module")
def render(tmp_path_factory: pytest.TempPathFactory) -> Render:
    """Render the chart with values of the test's own, or those of a file in ci/."""
    helm = tool("helm")
    folder = tmp_path_factory.mktemp("values")

    def with_values(values: Manifest | None = None, *, file: str = "minimal") -> list[Manifest]:
        own = folder / "values.yaml"
        own.write_text(yaml.safe_dump(values or {}))
        files = ["--values", str(CHART / "ci" / f"{file}.yaml"), "--values", str(own)]
        command = [helm, "template", "demo", str(CHART), "--namespace", "webcare", *files]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Refused(done.stderr)
        return [document for document in yaml.safe_load_all(done.stdout) if document]

    return with_values


def named(manifests: list[Manifest], kind: str, name: str = "") -> Manifest:
    """Give the one manifest of a kind whose name ends so."""
    found = [m for m in manifests if m["kind"] == kind and m["metadata"]["name"].endswith(name)]
    assert len(found) == 1, [m["metadata"]["name"] for m in found]
    return found[0]


def pods(manifests: list[Manifest]) -> dict[str, Manifest]:
    """Give the pod template of each Deployment, by component."""
    return {
        m["metadata"]["labels"]["app.kubernetes.io/component"]: m["spec"]["template"]
        for m in manifests
        if m["kind"] == "Deployment"
    }


def worker(**values: object) -> Manifest:
    """Give values for the worker's autoscaling, switched on."""
    return {"worker": {"autoscaling": {"enabled": True, **values}}}


@pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)
def test_what_is_rendered_is_valid(render: Render, values: Path) -> None:
    """Each values file renders manifests that Kubernetes' own schemas accept, strictly."""
    manifests = render(file=values.stem)
    assert conforms(manifests) == (0, "")
    for manifest in manifests:
        damaged = copy.deepcopy(manifest)
        damaged["metadata"]["lables"] = {}
        assert conforms([damaged])[0] == 1, manifest["kind"]


def conforms(manifests: list[Manifest]) -> tuple[int, str]:
    """Ask kubeconform; give its exit status and what it says."""
    schemas = ROOT / "deploy" / "helm" / "schemas" / "{{.ResourceKind}}{{.KindSuffix}}.json"
    done = subprocess.run(
        [tool("kubeconform"), "-strict", "-schema-location", str(schemas)],
        input=yaml.safe_dump_all(manifests),
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("kind", ["hpa", "keda"])
def test_no_replicas_with_autoscaling(render: Render, kind: str) -> None:
    """With autoscaling the Deployment sets no replicas: an upgrade would undo the scaling."""
    scaled = named(render(worker(kind=kind)), "Deployment", "-worker")
    fixed = named(render({"worker": {"replicas": 3}}), "Deployment", "-worker")
    assert "replicas" not in scaled["spec"]
    assert fixed["spec"]["replicas"] == 3


@pytest.mark.parametrize("kind", ["hpa", "keda"])
def test_scaling_stays_within_the_partitions(render: Render, kind: str) -> None:
    """The scaler gets bounds of at least one and at most a worker for each partition."""
    manifests = render(worker(kind=kind, minReplicas=2, maxReplicas=12))
    if kind == "hpa":
        spec = named(manifests, "HorizontalPodAutoscaler")["spec"]
        assert (spec["minReplicas"], spec["maxReplicas"]) == (2, 12)
    else:
        spec = named(manifests, "ScaledObject")["spec"]
        assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (2, 12)
        assert "idleReplicaCount" not in spec
        assert spec["fallback"]["replicas"] == 2
    assert (
        spec["scaleTargetRef"]["name"]
        == named(manifests, "Deployment", "-worker")["metadata"]["name"]
    )


@pytest.mark.parametrize(
    ("values", "word"),
    [
        (worker(minReplicas=0), "minReplicas"),
        (worker(kind="keda", minReplicas=0), "minReplicas"),
        (worker(maxReplicas=13), "kafka.partitions"),
        (worker(kind="keda", maxReplicas=13), "kafka.partitions"),
        (worker(minReplicas=5, maxReplicas=4), "minReplicas"),
        (worker(kind="vpa"), "kind"),
        (worker(targetCpu=0), "targetCpu"),
        ({"worker": {"replicas": 0}}, "replicas"),
        ({"worker": {"replicas": 13}}, "kafka.partitions"),
        ({"server": {"replicas": 0}}, "replicas"),
        ({"kafka": {"partitions": 0}}, "partitions"),
        ({"kafka": {"securityProtocol": "SASL_SSL"}}, "existingSecret"),
        ({"kafka": {"password": "geheim"}}, "password"),
        ({"redis": {"url": "redis://:geheim@redis:6379/0"}}, "url"),
        ({"server": {"oidc": {"issuer": "https://sso.example.org"}}}, "publicUrl"),
        ({"server": {"oidc": {"issuer": "http://sso.example.org"}}}, "issuer"),
        ({"server": {"oidc": {"roleMap": {"GG": "baas"}}}}, "roleMap"),
        ({"server": {"auditDays": 7}}, "auditDays"),
        ({"models": {"size": "veel"}}, "size"),
        ({"models": {"existingClaim": "Niet_zo"}}, "existingClaim"),
        ({"server": {"desk": {"answers": 1}}}, "answers"),
        ({"server": {"oidc": {"scope": "profile"}}}, "scope"),
        ({"wroker": {}}, "wroker"),
    ],
    ids=str,
)
def test_wrong_values_are_refused(render: Render, values: Manifest, word: str) -> None:
    """Values that could not work, do not exist or hold a secret are refused, and named."""
    with pytest.raises(Refused, match=word):
        render(values)


def test_a_changed_profile_rolls_the_pods(render: Render) -> None:
    """Another profile, inside or by name, and another setting change the pods; the same does not."""

    def checksums(values: Manifest) -> set[str]:
        found = {
            pod["metadata"]["annotations"]["checksum/settings"]
            for pod in pods(render(values)).values()
        }
        assert len(found) == 1
        return found

    changes: list[Manifest] = [
        {},
        {"profile": {"builtin": "leiden"}},
        {"profile": {"inline": 'org = "a"\n'}},
        {"profile": {"inline": 'org = "b"\n'}},
        {"kafka": {"group": "other"}},
        {"server": {"desk": {"tokensCss": "a{}"}}},
    ]
    every = [checksums(values) for values in changes]
    assert len(set().union(*every)) == len(changes)
    assert [checksums(values) for values in changes] == every


def test_a_profile_of_ones_own_reaches_triage(render: Render, tmp_path: Path) -> None:
    """The inline profile is mounted byte for byte where TRIAGE_PROFILE points, and is a good one."""
    text = yaml.safe_load((CHART / "ci" / "production.yaml").read_text())["profile"]["inline"]
    manifests = render(file="production")
    mounted = named(manifests, "ConfigMap", "-profile")
    (name, content), *others = mounted["data"].items()
    assert others == []
    assert content.strip() == text.strip()
    (tmp_path / name).write_text(content)
    assert check(tmp_path / name) == []
    settings = named(manifests, "ConfigMap", "-settings")["data"]
    for pod in pods(manifests).values():
        mounts = {m["name"]: m["mountPath"] for m in pod["spec"]["containers"][0]["volumeMounts"]}
        assert settings["TRIAGE_PROFILE"] == f"{mounts['profile']}/{name}"


@pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)
def test_pods_are_locked_up(render: Render, values: Path) -> None:
    """Every pod meets the restricted standard, gets no token, and writes only where it has to."""
    manifests = render(file=values.stem)
    assert named(manifests, "ServiceAccount")["automountServiceAccountToken"] is False
    found = pods(manifests)
    assert found.keys() == {"worker", "server"}
    for component, pod in found.items():
        spec = pod["spec"]
        assert spec["automountServiceAccountToken"] is False
        assert spec["enableServiceLinks"] is False  # TRIAGE_PORT=tcp://… would break the settings
        assert spec["terminationGracePeriodSeconds"] == 30
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
        assert "hostPath" not in str(spec["volumes"])
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "runAsNonRoot": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["requests"].keys() == {"cpu", "memory"}
            assert "memory" in container["resources"]["limits"]
            volumes = {volume["name"]: volume for volume in spec["volumes"]}
            for mount in container["volumeMounts"]:
                if mount["name"] == "models":
                    writes = {"server": {"models", "counts"}, "worker": {"counts"}}[component]
                    assert mount.get("readOnly") is not (mount["subPath"] in writes)
                    continue
                assert mount.get("readOnly") or "emptyDir" in volumes[mount["name"]]


@pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)
def test_settings_are_ones_that_triage_knows(render: Render, values: Path) -> None:
    """Every TRIAGE_ variable exists, and together they are valid settings."""
    manifests = render(file=values.stem)
    settings = named(manifests, "ConfigMap", "-settings")["data"]
    for pod in pods(manifests).values():
        (container,) = pod["spec"]["containers"]
        assert container["envFrom"] == [
            {
                "configMapRef": {
                    "name": named(manifests, "ConfigMap", "-settings")["metadata"]["name"]
                }
            }
        ]
        own = {
            item["name"]: item.get("value", "redis://from-a-secret:6379/0")
            for item in container["env"]
        }
        together = settings | own
        assert together.keys() <= VARIABLES
        made = Settings(**{name[7:].lower(): value for name, value in together.items()})
        assert made.processes == 1
        for name, path in together.items():
            if name.endswith("_FILE"):
                folder = Path(path).parent
                assert str(folder) in [m["mountPath"] for m in container["volumeMounts"]]


@pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)
def test_ports_and_commands_agree(render: Render, values: Path) -> None:
    """`triage` takes the arguments, listens where the probes ask, and services find the pods."""
    manifests = render(file=values.stem)
    group: Any = typer.main.get_command(app)
    settings = named(manifests, "ConfigMap", "-settings")["data"]
    for component, pod in pods(manifests).items():
        (container,) = pod["spec"]["containers"]
        arguments = list(container["args"])
        context = group.make_context("triage", list(arguments))
        name, command, rest = group.resolve_command(context, arguments)
        options = command.make_context(name, list(rest), parent=context).params
        port = options["port"] if component == "server" else int(settings["TRIAGE_METRICS_PORT"])
        assert container["ports"] == [{"name": "http", "containerPort": port}]
        assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}
        for probe in ("startupProbe", "livenessProbe"):
            assert container[probe]["httpGet"] == {"path": "/healthz", "port": "http"}
        selecting = [
            m
            for m in manifests
            if m["kind"] == "Service"
            and m["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
        ]
        assert len(selecting) == 1
        budget = named(manifests, "PodDisruptionBudget", f"-{component}")["spec"]
        assert budget["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()


def test_prometheus_finds_both(render: Render) -> None:
    """With a ServiceMonitor each component's service is selected, once, by the named port."""
    manifests = render(file="production")
    services = [m for m in manifests if m["kind"] == "Service"]
    monitors = [m for m in manifests if m["kind"] == "ServiceMonitor"]
    assert len(monitors) == 2
    for monitor in monitors:
        wanted = monitor["spec"]["selector"]["matchLabels"].items()
        (service,) = [s for s in services if wanted <= s["metadata"]["labels"].items()]
        assert monitor["spec"]["endpoints"][0]["port"] == service["spec"]["ports"][0]["name"]
        assert monitor["metadata"]["labels"]["release"] == "prometheus"


def test_secrets_stand_by_name_only(render: Render) -> None:
    """Nothing rendered holds a secret: no Secret, only references to those that the values name."""
    for values in VALUES:
        manifests = render(file=values.stem)
        assert "Secret" not in {m["kind"] for m in manifests}
        for pod in pods(manifests).values():
            for item in pod["spec"]["containers"][0]["env"]:
                secret = any(word in item["name"] for word in ("PASSWORD", "API_TOKENS", "SOURCES"))
                assert not secret or item["name"].endswith("_FILE")
    production = render({"redis": {"url": "redis://not-this-one:6379/0"}}, file="production")
    assert "not-this-one" not in str(production)
    for pod in pods(production).values():
        queue = next(e for e in pod["spec"]["containers"][0]["env"] if e["name"] == "TRIAGE_QUEUE")
        assert queue["valueFrom"] == {"secretKeyRef": {"name": "triage-redis", "key": "url"}}


def test_people_sign_in_as_the_values_say(render: Render) -> None:
    """The provider, roles and teams of the values are the settings that triage reads."""
    settings = named(render(file="production"), "ConfigMap", "-settings")["data"]
    made = Settings(**{name[7:].lower(): value for name, value in settings.items()})
    own = yaml.safe_load((CHART / "ci" / "production.yaml").read_text())["server"]
    assert made.public_url == own["publicUrl"]
    assert made.oidc_issuer == own["oidc"]["issuer"]
    assert made.oidc_role_map == own["oidc"]["roleMap"]
    assert made.oidc_team_map == own["oidc"]["teamMap"]
    assert made.oidc_roles_claim == "realm_access.roles"


def test_models_are_one_folder_for_all(render: Render) -> None:
    """Servers and workers mount one claim where TRIAGE_MODELS points: the chart's, or one's own."""
    for file, claim in (("production", "demo-triage-models"), ("keda", "webcare-models")):
        manifests = render(file=file)
        models = named(manifests, "ConfigMap", "-settings")["data"]["TRIAGE_MODELS"]
        for pod in pods(manifests).values():
            (volume,) = [v for v in pod["spec"]["volumes"] if v["name"] == "models"]
            assert volume["persistentVolumeClaim"]["claimName"] == claim
            mounts = {
                m["mountPath"]: m["subPath"]
                for m in pod["spec"]["containers"][0]["volumeMounts"]
                if m["name"] == "models"
            }
            assert mounts == {models: "models", f"/var/lib/triage/{COUNTS}": "counts"}
    made = named(render(file="production"), "PersistentVolumeClaim")
    assert made["spec"]["accessModes"] == ["ReadWriteMany"]
    assert made["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    assert "PersistentVolumeClaim" not in {m["kind"] for m in render(file="keda")}


def test_without_a_claim_nothing_is_promoted(render: Render) -> None:
    """By default no volume is asked for, and the folder of models is one that cannot be made."""
    manifests = render()
    assert "PersistentVolumeClaim" not in {m["kind"] for m in manifests}
    models = named(manifests, "ConfigMap", "-settings")["data"]["TRIAGE_MODELS"]
    for pod in pods(manifests).values():
        (container,) = pod["spec"]["containers"]
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert not [m for m in container["volumeMounts"] if models.startswith(m["mountPath"])]


def test_the_desk_gets_the_answers_and_tokens_of_the_values(render: Render, tmp_path: Path) -> None:
    """Canned answers and style sheet are mounted, in servers only, and are ones that triage takes."""
    manifests = render(file="production")
    data = named(manifests, "ConfigMap", "-desk")["data"]
    found = pods(manifests)
    (container,) = found["server"]["spec"]["containers"]
    own = {item["name"]: item.get("value", "") for item in container["env"]}
    (mount,) = [m for m in container["volumeMounts"] if m["name"] == "desk"]
    for variable in ("TRIAGE_ANSWERS_FILE", "TRIAGE_TOKENS_CSS"):
        folder, _, name = own[variable].rpartition("/")
        assert (folder, name in data) == (mount["mountPath"], True)
        (tmp_path / name).write_text(data[name])
    answers = load_answers(tmp_path / "answers.toml")
    assert "dank" in {answer.key for answer in answers}
    assert "desk" not in {v["name"] for v in found["worker"]["spec"]["volumes"]}
    assert "-desk" not in str(render())
    only = render({"server": {"desk": {"tokensCss": "a{}"}}})
    assert named(only, "ConfigMap", "-desk")["data"].keys() == {"tokens.css"}


def test_keda_reads_the_group_as_triage_does(render: Render) -> None:
    """KEDA looks at the same brokers, group and login as the workers."""
    manifests = render(file="keda")
    (trigger,) = named(manifests, "ScaledObject")["spec"]["triggers"]
    settings = named(manifests, "ConfigMap", "-settings")["data"]
    assert settings["TRIAGE_LOG"] == f"kafka://{trigger['metadata']['bootstrapServers']}"
    assert settings["TRIAGE_KAFKA_GROUP"] == trigger["metadata"]["consumerGroup"]
    assert trigger["metadata"]["sasl"] == "scram_sha256"
    assert trigger["metadata"]["tls"] == "enable"
    login = named(manifests, "TriggerAuthentication")
    assert trigger["authenticationRef"]["name"] == login["metadata"]["name"]
    assert {ref["name"] for ref in login["spec"]["secretTargetRef"]} == {"triage-kafka"}
