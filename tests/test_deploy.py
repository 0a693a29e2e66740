"""The image and the examples under `deploy/` fit each other, their formats, and the command line.

`make image-check` runs the image itself; it needs root and minutes.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from corsproxy import __version__
from corsproxy.cli import serve
from corsproxy.cli.failures import Exit
from corsproxy.config.reader import read_policy

PROJECT = Path(__file__).resolve().parent.parent
DEPLOY = PROJECT / "deploy"
DOCKERFILE = (PROJECT / "Dockerfile").read_text().replace("\\\n", " ")

# The examples' documents, as their formats know them.
Document = dict[str, Any]

# Native sidecars are on by default from the first of these; the other is recent.
KUBERNETES_VERSIONS = ["1.29", "1.33"]


def documents(path: Path) -> list[Document]:
    return list(yaml.safe_load_all(path.read_text()))


def sidecar_manifest(kind: str) -> Document:
    found = [
        document
        for document in documents(DEPLOY / "kubernetes/sidecar.yaml")
        if document["kind"] == kind
    ]
    assert len(found) == 1
    return found[0]


def pod(deployment: Document) -> Document:
    spec: Document = deployment["spec"]["template"]["spec"]
    return spec


def sidecar() -> Document:
    (container,) = pod(sidecar_manifest("Deployment"))["initContainers"]
    assert isinstance(container, dict)
    return container


def instruction(name: str) -> str:
    """The last one of this name: the only one that counts, in the last stage."""
    found: list[str] = re.findall(rf"^{name} +(.*)$", DOCKERFILE, re.MULTILINE)
    return found[-1].strip()


def image_environment() -> dict[str, str]:
    last_stage = DOCKERFILE.rpartition("\nFROM ")[2]
    return dict(
        pair.split("=", 1)
        for line in re.findall(r"^ENV +(.*)$", last_stage, re.MULTILINE)
        for pair in line.split()
    )


class TestImage:
    def test_stops_and_starts_without_a_shell(self) -> None:
        assert json.loads(instruction("ENTRYPOINT")) == ["corsproxy"]
        assert json.loads(instruction("CMD")) == ["serve"]
        assert instruction("STOPSIGNAL") == "SIGTERM"
        assert DOCKERFILE.count("HEALTHCHECK") == 1
        assert 'CMD ["corsproxy", "health"]' in DOCKERFILE

    def test_runs_as_an_unprivileged_user(self) -> None:
        assert instruction("USER") == "65532:65532"

    def test_sets_only_variables_that_the_command_line_reads(self) -> None:
        own = {name for name in image_environment() if name.startswith("CORSPROXY_")}
        read = {parameter.envvar for parameter in serve.command.params}
        assert own <= read, "a variable that is not read has no effect"

    def test_has_version_and_revision_labels(self) -> None:
        for label in ("version", "revision"):
            assert f'org.opencontainers.image.{label}="${{{label.upper()}}}"' in DOCKERFILE
            assert f"--build-arg {label.upper()}=" in (PROJECT / "Makefile").read_text()

    def test_is_made_from_one_base(self) -> None:
        stages = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
        assert set(stages) == {"${BASE}"}


class TestKubernetes:
    @pytest.mark.parametrize("version", KUBERNETES_VERSIONS)
    @pytest.mark.parametrize(
        "kind",
        [
            "ConfigMap",
            "Deployment",
            "Namespace",
            "NetworkPolicy",
            "PodDisruptionBudget",
            "Service",
        ],
    )
    def test_the_manifest_is_valid(self, kind: str, version: str) -> None:
        kubernetes_validate.validate(sidecar_manifest(kind), version, strict=True)

    def test_corsproxy_is_a_sidecar(self) -> None:
        assert sidecar()["restartPolicy"] == "Always"

    def test_it_drains_before_the_api_ends(self) -> None:
        assert sidecar()["lifecycle"]["preStop"]["exec"]["command"] == ["corsproxy", "drain"]

    def test_every_container_is_as_restricted_as_the_namespace_says(self) -> None:
        """The pod security standard "restricted", field by field."""
        labels = sidecar_manifest("Namespace")["metadata"]["labels"]
        assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
        (api,) = pod(sidecar_manifest("Deployment"))["containers"]
        for container in (sidecar(), api):
            rights = container["securityContext"]
            assert rights["runAsNonRoot"] is True
            assert rights["runAsUser"] > 0
            assert rights["allowPrivilegeEscalation"] is False
            assert rights["capabilities"] == {"drop": ["ALL"]}
            assert rights["seccompProfile"] == {"type": "RuntimeDefault"}
        assert "readinessProbe" in api

    def test_everything_is_in_its_namespace(self) -> None:
        name = sidecar_manifest("Namespace")["metadata"]["name"]
        for document in documents(DEPLOY / "kubernetes/sidecar.yaml"):
            assert document["metadata"].get("namespace", name) == name
            assert ("namespace" in document["metadata"]) is (document["kind"] != "Namespace")

    def test_what_selects_pods_selects_these(self) -> None:
        labels = sidecar_manifest("Deployment")["spec"]["template"]["metadata"]["labels"]
        budget = sidecar_manifest("PodDisruptionBudget")["spec"]
        policy = sidecar_manifest("NetworkPolicy")["spec"]
        (monitor,) = documents(DEPLOY / "prometheus/podmonitor.yaml")
        assert budget["selector"]["matchLabels"] == labels
        assert policy["podSelector"]["matchLabels"] == labels
        assert monitor["spec"]["selector"]["matchLabels"] == labels
        ports = {port["name"] for port in sidecar()["ports"]}
        allowed = {port["port"] for rule in policy["ingress"] for port in rule["ports"]}
        assert allowed == ports
        assert {each["port"] for each in monitor["spec"]["podMetricsEndpoints"]} <= ports

    def test_its_rights_are_those_the_image_needs(self) -> None:
        rights = sidecar()["securityContext"]
        assert f"{rights['runAsUser']}:{rights['runAsGroup']}" == instruction("USER")
        assert rights["readOnlyRootFilesystem"] is True
        assert rights["allowPrivilegeEscalation"] is False
        assert rights["capabilities"] == {"drop": ["ALL"]}

    def test_the_ports_are_those_the_image_listens_on(self) -> None:
        ports = {port["name"]: str(port["containerPort"]) for port in sidecar()["ports"]}
        environment = image_environment()
        assert environment["CORSPROXY_LISTEN"] == f"0.0.0.0:{ports['cors']}"
        assert environment["CORSPROXY_ADMIN"] == f"0.0.0.0:{ports['cors-admin']}"
        assert instruction("EXPOSE").split() == list(ports.values())
        (port,) = sidecar_manifest("Service")["spec"]["ports"]
        assert port["targetPort"] in ports

    def test_the_probes_ask_the_admin_listener(self) -> None:
        for probe, path in [
            ("startupProbe", "/readyz"),
            ("readinessProbe", "/readyz"),
            ("livenessProbe", "/livez"),
        ]:
            assert sidecar()[probe]["httpGet"] == {"path": path, "port": "cors-admin"}

    def test_the_configuration_can_change_while_it_runs(self) -> None:
        (mount,) = sidecar()["volumeMounts"]
        assert mount["mountPath"] == instruction("WORKDIR")
        assert "subPath" not in mount

    def test_it_ends_within_the_grace_period(self) -> None:
        environment = image_environment()
        wait = int(environment["CORSPROXY_DRAIN_DELAY"].removesuffix("s"))
        grace = int(environment["CORSPROXY_SHUTDOWN_GRACE"].removesuffix("s"))
        default_grace_period = 30
        assert wait + grace < default_grace_period

    def test_the_component_adds_the_same_sidecar(self) -> None:
        (patch,) = documents(DEPLOY / "kubernetes/component/sidecar.yaml")
        assert pod(patch)["initContainers"] == [sidecar()]

    def test_the_component_serves_deployments_and_stateful_sets(self) -> None:
        (component,) = documents(DEPLOY / "kubernetes/component/kustomization.yaml")
        assert [(patch["path"], patch["target"]["kind"]) for patch in component["patches"]] == [
            ("sidecar.yaml", "Deployment"),
            ("sidecar.yaml", "StatefulSet"),
        ]

    def test_the_component_leaves_the_name_of_its_config_map_alone(self) -> None:
        """A name that changes with the content would restart pods instead of reloading."""
        (component,) = documents(DEPLOY / "kubernetes/component/kustomization.yaml")
        (generator,) = component["configMapGenerator"]
        assert generator["options"]["disableNameSuffixHash"] is True
        (patch,) = documents(DEPLOY / "kubernetes/component/sidecar.yaml")
        (volume,) = pod(patch)["volumes"]
        assert volume["configMap"]["name"] == generator["name"]

    def test_the_version_is_this_one(self) -> None:
        image, _, version = sidecar()["image"].rpartition(":")
        assert version == __version__
        assert "/" in image, "without a registry, nodes look for it in one of their own"


class TestSystemd:
    UNIT = DEPLOY / "systemd/corsproxy.service"

    @pytest.fixture
    def unit(self, tmp_path: Path) -> Path:
        """The unit, with a program that is here."""
        program = tmp_path / "corsproxy"
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
        unit = tmp_path / "corsproxy.service"
        text = self.UNIT.read_text()
        unit.write_text(text.replace("/opt/corsproxy/bin/corsproxy", str(program)))
        return unit

    def test_the_unit_is_valid(self, unit: Path) -> None:
        verified = run("systemd-analyze", "verify", str(unit))
        assert (verified.returncode, verified.stderr) == (0, "")

    def test_the_service_is_hardened(self, unit: Path) -> None:
        """At most 2.0 of systemd's 10 points of exposure."""
        checked = run("systemd-analyze", "security", "--offline=yes", "--threshold=20", str(unit))
        assert checked.returncode == 0, checked.stdout[-300:]

    def test_the_command_and_exit_codes_match_the_product(self) -> None:
        settings = dict(
            line.split("=", 1) for line in self.UNIT.read_text().splitlines() if "=" in line
        )
        assert settings["Type"] == "notify"
        words = settings["ExecStart"].split()
        assert words[1] == "serve"
        flags = {flag for parameter in serve.command.params for flag in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= flags
        assert settings["RestartPreventExitStatus"] == str(int(Exit.REFUSED_CONFIG))


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


class TestPrometheus:
    def test_each_alert_fires_when_it_should_and_only_then(self) -> None:
        tested = run("promtool", "test", "rules", str(DEPLOY / "prometheus/rules.test.yaml"))
        assert tested.returncode == 0, tested.stdout + tested.stderr
        (rules,) = documents(DEPLOY / "prometheus/rules.yaml")
        (tests,) = documents(DEPLOY / "prometheus/rules.test.yaml")
        alerts = [rule["alert"] for group in rules["groups"] for rule in group["rules"]]
        for alert in alerts:
            told = [test["name"] for test in tests["tests"] if alert in test["name"]]
            assert told == [f"{alert} fires", f"{alert} is quiet"]

    def test_the_configuration_is_valid(self) -> None:
        checked = run("promtool", "check", "config", str(DEPLOY / "prometheus/prometheus.yaml"))
        assert checked.returncode == 0, checked.stderr


class TestBillOfMaterials:
    def test_lists_what_the_image_installs(self) -> None:
        made = run(sys.executable, str(PROJECT / "scripts/sbom"))
        bill = json.loads(made.stdout)
        assert (bill["bomFormat"], bill["metadata"]["component"]["version"]) == (
            "CycloneDX",
            __version__,
        )
        lock = (PROJECT / "locks/runtime.txt").read_text()
        pins = re.findall(r"^([\w.-]+)==([^\s;]+)", lock, re.MULTILINE)
        assert [(each["name"], each["version"]) for each in bill["components"]] == pins
        assert sum(len(each["hashes"]) for each in bill["components"]) == lock.count("sha256:")


class TestCompose:
    @pytest.fixture
    def services(self) -> Mapping[str, Document]:
        (document,) = documents(DEPLOY / "compose.yaml")
        schema = files("check_jsonschema") / "builtin_schemas/vendor/compose-spec.json"
        jsonschema.validate(document, json.loads(schema.read_text()))
        found: Mapping[str, Document] = document["services"]
        return found

    def test_mounts_the_directory_of_the_configuration(
        self, services: Mapping[str, Document]
    ) -> None:
        (volume,) = services["corsproxy"]["volumes"]
        source, target, mode = volume.split(":")
        assert (DEPLOY / source / "corsproxy.yaml").is_file()
        assert (target, mode) == (instruction("WORKDIR"), "ro")

    def test_publishes_on_this_machine_only(self, services: Mapping[str, Document]) -> None:
        assert services["corsproxy"]["ports"] == [
            "127.0.0.1:8010:8010",
            "127.0.0.1:8011:8011",
        ]

    def test_its_upstream_is_an_existing_service(self, services: Mapping[str, Document]) -> None:
        (configuration,) = documents(DEPLOY / "corsproxy/corsproxy.yaml")
        host, port = configuration["upstream"].removeprefix("http://").split(":")
        assert port in services[host]["command"]


def configurations() -> Iterator[tuple[str, str]]:
    config_map = sidecar_manifest("ConfigMap")
    yield "kubernetes/sidecar.yaml", config_map["data"]["corsproxy.yaml"]
    for name in ("corsproxy/corsproxy.yaml", "kubernetes/component/corsproxy.yaml"):
        yield name, (DEPLOY / name).read_text()


@pytest.mark.parametrize(("name", "text"), list(configurations()))
def test_the_configuration_is_accepted_without_a_warning(name: str, text: str) -> None:
    assert read_policy(text, name, {}, str(DEPLOY)).warnings == ()
