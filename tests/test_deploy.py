"""The image and the examples under `deploy/` fit each other, their formats, and the command line.

That the image runs as it should is checked by `make image-check`, which needs root and minutes.
"""

import json
import re
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

    def test_runs_as_nobody_in_particular(self) -> None:
        assert instruction("USER") == "65532:65532"

    def test_sets_only_variables_that_the_command_line_reads(self) -> None:
        own = {name for name in image_environment() if name.startswith("CORSPROXY_")}
        read = {parameter.envvar for parameter in serve.command.params}
        assert own <= read, "a variable that nobody reads has no effect"

    def test_is_made_from_one_base(self) -> None:
        stages = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
        assert set(stages) == {"${BASE}"}


class TestKubernetes:
    @pytest.mark.parametrize("version", KUBERNETES_VERSIONS)
    @pytest.mark.parametrize("kind", ["ConfigMap", "Deployment", "Service"])
    def test_the_manifest_is_valid(self, kind: str, version: str) -> None:
        kubernetes_validate.validate(sidecar_manifest(kind), version, strict=True)

    def test_corsproxy_is_a_sidecar(self) -> None:
        assert sidecar()["restartPolicy"] == "Always"

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

    def test_it_is_gone_before_the_kubelet_loses_patience(self) -> None:
        environment = image_environment()
        wait = int(environment["CORSPROXY_DRAIN_DELAY"].removesuffix("s"))
        grace = int(environment["CORSPROXY_SHUTDOWN_GRACE"].removesuffix("s"))
        default_grace_period = 30
        assert wait + grace < default_grace_period

    def test_the_component_adds_the_same_sidecar(self) -> None:
        (patch,) = documents(DEPLOY / "kubernetes/component/sidecar.yaml")
        assert pod(patch)["initContainers"] == [sidecar()]

    def test_the_component_leaves_the_name_of_its_config_map_alone(self) -> None:
        """A name that changes with the content would restart pods instead of reloading."""
        (component,) = documents(DEPLOY / "kubernetes/component/kustomization.yaml")
        (generator,) = component["configMapGenerator"]
        assert generator["options"]["disableNameSuffixHash"] is True
        (patch,) = documents(DEPLOY / "kubernetes/component/sidecar.yaml")
        (volume,) = pod(patch)["volumes"]
        assert volume["configMap"]["name"] == generator["name"]

    def test_the_version_is_this_one(self) -> None:
        assert sidecar()["image"].rpartition(":")[2] == __version__


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

    def test_leads_to_a_service_that_is_there(self, services: Mapping[str, Document]) -> None:
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
