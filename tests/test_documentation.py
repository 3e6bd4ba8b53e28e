"""What the documents say exists, and what exists is documented: settings, commands, routes, files."""

import ast
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.urls import Resolver404, resolve

from processing.algorithms.operations.table import OPERATIONS
from tests.documents import DOCUMENTS, PAGES, ROOT, blocks, fences, section, title, without_first_column

README = ROOT / "README.md"
COMING_FROM = ROOT / "docs" / "coming-from.md"
README_LINES = 130
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
BUILT_IN_COMMANDS = {
    "changepassword",
    "collectstatic",
    "createsuperuser",
    "makemigrations",
    "migrate",
    "shell",
}
EXAMPLES = {
    "id": str(uuid.UUID(int=4)),
    "number": "1",
    "sequence": "1",
    "label": "x",
    "name": "x",
    "kind": "x",
}
METHODS = "GET|POST|PUT|PATCH|DELETE"


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


def setting_rows() -> dict[str, str]:
    """Name and default of each row of the settings table; a row may name two variables."""
    table = section(ROOT / "docs" / "operating.md", "Settings")
    rows = re.findall(r"^\| (`[A-Z].*?) \| (.*?) \| .+ \|$", table, re.MULTILINE)
    return {key: default.strip("`") for keys, default in rows for key in re.findall(r"`(\w+)`", keys)}


def our_text(document: Path) -> str:
    """Without what names other systems: the first column of the tables about them."""
    text = document.read_text()
    return without_first_column(text) if document == COMING_FROM else text


def routes(document: Path) -> Iterator[tuple[str, str]]:
    """Each route that is named with its method, with values in place of its parameters."""
    for method, path in re.findall(rf"`({METHODS}) (/[^`]*)`", our_text(document)):
        address = path.split("?")[0]
        yield method, re.sub(r"\{(\w+)\}", lambda match: EXAMPLES[match[1]], address)


def methods_of(view: Any) -> set[str]:
    if actions := getattr(view, "actions", None):
        return {method.upper() for method in actions}
    if known := getattr(view, "cls", None) or getattr(view, "view_class", None):
        return {method for method in METHODS.split("|") if hasattr(known, method.lower())}
    return {"GET"}


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


def test_settings_table_holds_every_setting():
    assert set(setting_rows()) == set(variables_read())


def test_settings_table_shows_the_defaults():
    shown = {key: default.replace(" ", "") for key, default in setting_rows().items()}
    expected = {key: value for key, value in literal_defaults().items() if value}

    assert {key: shown[key] for key in expected} == expected


@pytest.mark.parametrize("document", DOCUMENTS, ids=title)
def test_settings_that_are_named_exist(document):
    """Words in backquotes such as LEASE_SECONDS."""
    named = set(re.findall(r"`([A-Z][A-Z0-9]*_[A-Z0-9_]+)(?:=[^`]*)?`", our_text(document)))

    assert named - set(variables_read()) - {"POSTGRES_PASSWORD"} == set()


def test_readme_is_short():
    assert len(README.read_text().splitlines()) <= README_LINES


def test_readme_names_the_two_commands_and_what_they_need():
    text = "\n".join(block.code for block in blocks(README))

    assert "sudo apt-get install -y git make python3-venv" in text
    assert re.search(r"^make run\b", text, re.MULTILINE)
    assert re.search(r"^make test\b", text, re.MULTILINE)


def test_readme_leads_to_every_page():
    text = README.read_text()

    assert [title(page) for page in PAGES[1:] if f"]({title(page)})" not in text] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=title)
def test_make_targets_exist(document):
    targets = set(re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    pasted = "\n".join(block.code for block in blocks(document))
    named = re.findall(r"`make ([a-z]+)`", document.read_text()) + re.findall(
        r"^make ([a-z]+)", pasted, re.MULTILINE
    )

    assert set(named) - targets == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=title)
def test_management_commands_exist(document):
    ours = {path.stem for path in ROOT.glob("*/management/commands/[a-z]*.py")}
    named = set(re.findall(r"manage\.py (\w+)", our_text(document)))

    assert named - ours - BUILT_IN_COMMANDS == set()


@pytest.mark.parametrize("document", PAGES, ids=title)
def test_options_of_commands_exist(document):
    """Each `--option` in a line that begins with ./manage.py is one of that command."""
    lines = "\n".join(block.code for block in blocks(document)).splitlines()
    for line in lines:
        if match := re.match(r"(?:\w+=\S+ )*\./manage\.py (\w+)(.*?)(?:#|\||$)", line):
            source = next(ROOT.glob(f"*/management/commands/{match[1]}.py"), None)
            options = re.findall(r"(--[a-z][\w-]*)", match[2])
            unknown = [option for option in options if source and f'"{option}"' not in source.read_text()]
            assert unknown == [], line


@pytest.mark.parametrize("document", DOCUMENTS, ids=title)
def test_routes_exist(document):
    for method, path in routes(document):
        try:
            view = resolve(path).func
        except Resolver404:
            pytest.fail(f"{title(document)} names {method} {path}, which does not exist")
        assert method in methods_of(view), f"{method} {path}"


@pytest.mark.parametrize("document", PAGES, ids=title)
def test_addresses_exist(document):
    """Those named without a method, such as `/duplicates/`."""
    for path in re.findall(r"`(/[\w/{}.-]*)`", our_text(document)):
        address = re.sub(r"\{(\w+)\}", lambda match: EXAMPLES[match[1]], path)
        assert address.startswith("/media") or resolve(address), path


def test_table_of_sources_names_five_systems():
    titles = re.findall(r"^## (.+)$", COMING_FROM.read_text(), re.MULTILINE)

    assert titles == [
        "Fingerprint enhancement",
        "Image operations",
        "Product images from CSV",
        "PixSORT",
        "PixTools",
    ]
    assert all("| before | in Pix |" in section(COMING_FROM, each) for each in titles)


def test_operations_in_the_guide_are_those_of_the_table():
    table = section(ROOT / "docs" / "using.md", "Operations").split("\n\n")[0]

    assert set(re.findall(r"`(\w+)`", table)) == set(OPERATIONS)


@pytest.mark.parametrize("document", DOCUMENTS, ids=title)
def test_blocks_that_do_not_run_say_why(document):
    """Every fence has a language, so that no block is passed over by the pattern."""
    known = sum(len(blocks(document, language)) for language in ("bash", "json", "yaml", "text"))

    assert 2 * known == fences(document)
    if document not in PAGES:  # nothing runs them
        assert [block.code for block in blocks(document) if not block.skip] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=title)
def test_files_that_are_named_exist(document):
    """Those in backquotes such as `deploy/healthcheck.py`, from the top or from where the document stands."""
    named = re.findall(r"`([\w.-]+/[\w./-]+\.(?:py|toml|json|yaml|md|safetensors|env))`", our_text(document))

    assert [path for path in named if not ((ROOT / path).exists() or (document.parent / path).exists())] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=title)
def test_links_lead_somewhere(document):
    for link, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)", document.read_text()):
        target = document.parent / link if link else document
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), f"{link}#{anchor}"


def anchors(document: Path) -> set[str]:
    """The anchors that GitHub gives to headings."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def packages() -> set[str]:
    """Every room of the source, but those that each app has for Django's sake."""
    tops = ("ml_models", "api", "processing", "images", "batches", "pixproject")
    found = {path.parent.relative_to(ROOT) for top in tops for path in (ROOT / top).rglob("__init__.py")}
    usual = {"management", "migrations", "templatetags"}
    return {str(folder) for folder in found if not usual & set(folder.parts)}


def test_tree_shows_every_package():
    [tree] = blocks(ROOT / "docs" / "developing.md", "text")
    shown, parent = [], ""
    for indent, folder in re.findall(r"^( *)([\w/]+)/  ", tree.code, re.MULTILINE):
        parent = parent if indent else folder
        shown.append(f"{parent}/{folder}" if indent else folder)

    assert sorted(shown) == sorted(packages())


def test_top_level_names_exist():
    assert [name for name in TOP_LEVEL if not (ROOT / name).exists()] == []


def test_screenshot_is_small():
    assert 0 < (ROOT / "docs" / "screenshot.png").stat().st_size <= 400 * 1024
