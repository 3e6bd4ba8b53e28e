"""The deployment files fit together and fit the code: services, commands, variables, images, checks."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.check

ROOT = Path(__file__).resolve().parent.parent
DEPLOY = ROOT / "deploy"
PARTS = ("web", "worker", "model-worker", "sweeper")
# Read by the images of other projects, not by Pix.
FOREIGN_VARIABLES = {"POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_DB"}


def variables_of_settings() -> set[str]:
    source = (ROOT / "pixproject" / "settings.py").read_text()
    return {
        node.args[0].value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "env"
        and node.args
        and isinstance(node.args[0], ast.Constant)
    }


def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())


def kubernetes() -> list[dict[str, Any]]:
    return [
        document
        for path in sorted((DEPLOY / "k8s").glob("*.yaml"))
        if path.name != "kustomization.yaml"
        for document in yaml.safe_load_all(path.read_text())
    ]


def pods() -> dict[str, dict[str, Any]]:
    return {
        document["metadata"]["name"]: document["spec"]["template"]["spec"]
        for document in kubernetes()
        if document["kind"] in {"Deployment", "Job"}
    }


def task() -> dict[str, Any]:
    return json.loads((DEPLOY / "ecs-task-definition.json").read_text())


def commands() -> list[list[str]]:
    """Every command that a deployment file starts in our image."""
    services = [service["command"] for name, service in compose()["services"].items() if "build" in service]
    containers = [container["command"] for pod in pods().values() for container in pod["containers"]]
    tasks = [container["command"] for container in task()["containerDefinitions"]]
    return services + containers + tasks


def management_commands() -> set[str]:
    built_in = {"migrate", "collectstatic"}
    return built_in | {path.stem for path in ROOT.glob("*/management/commands/[a-z]*.py")}


def dockerfile_lines(word: str) -> list[str]:
    joined = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    return [line.removeprefix(word).strip() for line in joined.splitlines() if line.startswith(f"{word} ")]


def test_compose_has_every_part_and_server():
    services = compose()["services"]

    assert set(services) == {"postgres", "redis", "migrate", "s3", *PARTS}
    assert "pgvector" in services["postgres"]["image"]
    assert services["s3"]["profiles"] == ["s3"]


def test_compose_dependencies_and_volumes_exist():
    document = compose()

    for name, service in document["services"].items():
        assert set(service.get("depends_on", ())) <= set(document["services"]), name
        named = {volume.split(":")[0] for volume in service.get("volumes", ())}
        assert named <= set(document["volumes"]), name
        for other, condition in service.get("depends_on", {}).items():
            has_check = "healthcheck" in document["services"][other]
            assert condition["condition"] != "service_healthy" or has_check, (name, other)


def test_compose_starts_parts_after_the_migration():
    services = compose()["services"]

    for name in PARTS:
        assert services[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}


def test_every_long_running_container_has_a_health_check():
    services = compose()["services"]

    assert [n for n, s in services.items() if n != "migrate" and "test" not in s["healthcheck"]] == []
    assert [c["name"] for c in task()["containerDefinitions"] if "healthCheck" not in c] == []
    deployments = {name: pod for name, pod in pods().items() if name != "migrate"}
    assert [n for n, pod in deployments.items() if "livenessProbe" not in pod["containers"][0]] == []
    assert len(dockerfile_lines("HEALTHCHECK")) == 1


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_commands_exist(command):
    for match in re.finditer(r"manage\.py (\w+)", " ".join(command)):
        assert match[1] in management_commands()
    if command[0] == "gunicorn":
        assert (ROOT / command[command.index("--config") + 1]).is_file()


def test_files_named_in_the_dockerfile_reach_the_builder():
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}

    assert [name for name in sorted(allowed) if not (ROOT / name).exists()] == []
    copied = {line.split()[0] for line in dockerfile_lines("COPY") if not line.startswith(("--from", ". "))}
    assert copied <= allowed
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "benchmarks"}
    assert packages <= allowed


def test_variables_are_settings():
    known = variables_of_settings() | FOREIGN_VARIABLES
    settings_map = next(d for d in kubernetes() if d["kind"] == "ConfigMap")
    secrets = (DEPLOY / "k8s" / "secret.env").read_text().splitlines()
    used = {
        *compose()["x-pix"]["environment"],
        *(name for service in compose()["services"].values() for name in service.get("environment", ())),
        *re.findall(r"\$\{(\w+)", (ROOT / "docker-compose.yml").read_text()),
        *settings_map["data"],
        *(line.split("=")[0] for line in secrets),
        *(e["name"] for c in task()["containerDefinitions"] for e in c["environment"] + c["secrets"]),
    }

    assert used - known == set()


def test_no_deployment_answers_to_every_host_name():
    environments = [
        {variable["name"]: variable["value"] for variable in container["environment"]}
        for container in task()["containerDefinitions"]
    ]
    environments += [d["data"] for d in kubernetes() if d["kind"] == "ConfigMap"]
    hosts = {environment["ALLOWED_HOSTS"] for environment in environments}

    assert hosts == {"pix.example.com"}


def test_images_are_pinned():
    images = [
        *(line.split()[0] for line in dockerfile_lines("FROM")),
        *(service["image"] for service in compose()["services"].values()),
        *(container["image"] for container in task()["containerDefinitions"]),
    ]

    assert [image for image in images if ":" not in image or image.endswith(":latest")] == []
    kustomization = yaml.safe_load((DEPLOY / "k8s" / "kustomization.yaml").read_text())
    assert [image["name"] for image in kustomization["images"]] == ["pix"]
    assert kustomization["images"][0]["newTag"] != "latest"


def test_nothing_runs_as_root():
    assert dockerfile_lines("USER") == ["10001:10001"]
    assert all(container["user"] == "10001:10001" for container in task()["containerDefinitions"])
    for pod in pods().values():
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["containers"][0]["securityContext"]["allowPrivilegeEscalation"] is False


def test_kustomization_lists_every_file():
    kustomization = yaml.safe_load((DEPLOY / "k8s" / "kustomization.yaml").read_text())
    there = {path.name for path in (DEPLOY / "k8s").glob("*.yaml")} - {"kustomization.yaml"}

    assert set(kustomization["resources"]) == there


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
def test_kubectl_accepts_the_kustomization():
    built = subprocess.run(
        ["kubectl", "kustomize", str(DEPLOY / "k8s")], capture_output=True, text=True, timeout=60, check=False
    )

    assert built.returncode == 0, built.stderr
    assert "image: pix\n" not in built.stdout


def test_dashboard_shows_metrics_that_exist():
    dashboard = (DEPLOY / "grafana" / "pix.json").read_text()
    source = (ROOT / "pixproject" / "metrics.py").read_text()
    shown = set(re.findall(r"\b(pix_\w+?)(?:_bucket|_sum|_count)?\b", dashboard))

    assert shown != set()
    assert [name for name in sorted(shown) if name.removesuffix("_total") not in source] == []


def tool(name: str) -> str:
    """A program that a package of requirements-dev.txt brings, or of the machine."""
    found = shutil.which(name, path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if found is None:
        pytest.skip(f"{name} is not installed: pip install --no-deps -r requirements-dev.txt")
    return found


def checked(*command: str) -> str:
    """What a checker says; it must find nothing wrong."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("profile", [(), ("--profile", "s3")], ids=["plain", "s3"])
def test_docker_compose_accepts_the_file(profile):
    services = checked(tool("docker-compose"), *profile, "config", "--services").split()

    assert set(PARTS) <= set(services)
    assert ("s3" in services) is bool(profile)


def test_hadolint_accepts_the_dockerfile():
    assert checked(tool("hadolint"), "Dockerfile") == ""


def test_kubernetes_knows_every_manifest_and_field():
    said = checked(
        tool("kubernetes-validate"),
        "--strict",
        "-k",
        "1.33",
        *map(str, sorted(DEPLOY.glob("k8s/[!k]*.yaml"))),
    )

    assert said.count(" passed for resource ") == len(kubernetes())


def test_ecs_accepts_the_task_definition():
    session = pytest.importorskip("botocore.session", reason="botocore is not installed").get_session()
    from botocore.validate import ParamValidator

    request = session.get_service_model("ecs").operation_model("RegisterTaskDefinition").input_shape
    wrong = ParamValidator().validate(task(), request)

    assert wrong.generate_report() == ""
