"""What the documents say exists, and what exists is documented: settings, commands, the top-level names."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
TOP_LEVEL = (
    *("manage.py", "Makefile", "requirements.txt", "docker-compose.yml", "Dockerfile", ".env.example"),
    *(
        "pyproject.toml",
        "README.md",
        "CHANGELOG.md",
        ".ci/run",
        "pixproject",
        "ml_models",
        "processing",
        "api",
    ),
    *("images", "batches", "templates", "static", "tests", "benchmarks", "deploy", "docs"),
)
# It says that .env is not read, so it cannot stand in .env.
NOT_IN_A_FILE = {"PIX_IGNORE_ENV_FILE"}


def variables_read() -> dict[str, ast.expr | None]:
    """Each environment variable of settings.py with the expression of its default."""
    tree = ast.parse((ROOT / "pixproject" / "settings.py").read_text())
    found: dict[str, ast.expr | None] = {}
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        if not (
            isinstance(call.func, ast.Attribute) and call.args and isinstance(call.args[0], ast.Constant)
        ):
            continue
        if ast.unparse(call.func.value) in {"env", "os.environ"}:
            keyword = next((k.value for k in call.keywords if k.arg == "default"), None)
            found[call.args[0].value] = call.args[1] if len(call.args) > 1 else keyword
    return found


def literal_defaults() -> dict[str, str]:
    """The defaults that are plain values, as one writes them in a file."""
    defaults = {}
    for name, expression in variables_read().items():
        if isinstance(expression, ast.Call) and ast.unparse(expression.func) == "env.int":
            expression = expression.args[1]  # another name of the same setting
        if expression is None or any(isinstance(n, (ast.Name, ast.Call)) for n in ast.walk(expression)):
            continue
        value = eval(compile(ast.Expression(expression), "settings", "eval"), {})  # noqa: S307  our own file
        defaults[name] = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    return defaults


def example_lines() -> dict[str, str]:
    text = (ROOT / ".env.example").read_text()
    return dict(re.findall(r"^#?([A-Z][A-Z0-9_]*)=(.*)$", text, re.MULTILINE))


def readme_rows() -> dict[str, str]:
    """Name and default of each row of the settings table; a row may name two variables."""
    table = README.split("## Settings", 1)[1].split("\n## ", 1)[0]
    rows = re.findall(r"^\| (`[A-Z].*?) \| (.*?) \| .+ \|$", table, re.MULTILINE)
    return {name: default.strip("`") for names, default in rows for name in re.findall(r"`(\w+)`", names)}


def blocks(language: str) -> Iterator[str]:
    yield from re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_example_file_holds_every_setting():
    assert set(example_lines()) == set(variables_read()) - NOT_IN_A_FILE


def test_example_file_shows_the_defaults():
    shown = example_lines()

    assert {name: shown[name] for name in literal_defaults() if name in shown} == {
        name: value for name, value in literal_defaults().items() if name in shown
    }


def test_example_file_changes_nothing_when_copied():
    lines = (ROOT / ".env.example").read_text().splitlines()

    assert [line for line in lines if line and not line.startswith("#")] == []


def test_readme_table_holds_every_setting():
    assert set(readme_rows()) == set(variables_read())


def test_readme_table_shows_the_defaults():
    shown = {name: default.replace(" ", "") for name, default in readme_rows().items()}
    expected = {name: value for name, value in literal_defaults().items() if value}

    assert {name: shown[name] for name in expected} == expected


def test_readme_names_the_two_commands_and_what_they_need():
    text = "\n".join(blocks("bash"))

    assert "sudo apt-get install -y git make python3-venv" in text
    assert re.search(r"^make run\b", text, re.MULTILINE)
    assert re.search(r"^make test\b", text, re.MULTILINE)


def test_make_targets_in_the_readme_exist():
    targets = set(re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert set(re.findall(r"`?\bmake ([a-z]+)\b`?(?= |`|$)", "\n".join(blocks("bash")))) <= targets


def test_management_commands_in_the_readme_exist():
    ours = {path.stem for path in ROOT.glob("*/management/commands/[a-z]*.py")}
    named = set(re.findall(r"\./manage\.py (\w+)", README)) - {"changepassword", "shell", "migrate"}

    assert named - ours == set()


def test_files_that_documents_link_to_exist():
    for document in (ROOT / "README.md", ROOT / "deploy" / "README.md", ROOT / "ml_models" / "README.md"):
        links = re.findall(r"\]\((?!https?:|#)([^)#]+)\)", document.read_text())
        assert [link for link in links if not (document.parent / link).exists()] == [], document.name


def test_top_level_names_exist():
    assert [name for name in TOP_LEVEL if not (ROOT / name).exists()] == []


def test_screenshot_is_small():
    assert 0 < (ROOT / "docs" / "screenshot.png").stat().st_size <= 400 * 1024
