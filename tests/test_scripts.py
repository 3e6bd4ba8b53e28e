"""The scripts of the pages: they parse, their imports exist, and the vendored ones are what their list says."""

import hashlib
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from django.conf import settings

STATIC = Path(settings.BASE_DIR) / "static"
SCRIPTS = sorted((STATIC / "js").rglob("*.js"))
IMPORT = re.compile(r'^import \{([^}]*)\} from "([^"]+)";$', re.MULTILINE)
EXPORTED = r"^export (?:async )?(?:function|const|class|let) {name}\b|^export \{{[^}}]*\b{name}\b"


def test_every_script_parses():
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed: apt-get install nodejs")
    for path in SCRIPTS:
        with path.open("rb") as script:
            # From a file node checks a module only loosely.
            command = [node, "--input-type=module", "--check"]
            result = subprocess.run(command, stdin=script, capture_output=True, text=True, check=False)
        assert (path.name, result.stderr) == (path.name, "")


def test_every_import_is_exported_there():
    for path in SCRIPTS:
        for names, source in IMPORT.findall(path.read_text()):
            exporting = (path.parent / source).resolve().read_text()
            for name in filter(None, (name.strip() for name in names.split(","))):
                assert re.search(EXPORTED.format(name=name), exporting, re.MULTILINE), f"{path}: {name}"


def test_vendored_scripts_are_the_listed_ones():
    rows = re.findall(
        r"^\| `([^`]+)` .* `([0-9a-f]{64})` \|$", (STATIC / "vendor/README.md").read_text(), re.M
    )
    found = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (STATIC / "vendor").glob("*.js")
    }
    assert dict(rows) == found
    assert {f"{name.removesuffix('.js')}.LICENSE" for name in found} == {
        path.name for path in (STATIC / "vendor").glob("*.LICENSE")
    }
