"""The documents of the repository and what stands in them: blocks of code, tables, links."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
DOCUMENTS = (*PAGES, ROOT / "deploy" / "README.md", ROOT / "ml_models" / "README.md")
_BLOCK = re.compile(r'^```(\w+)(?: skip="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block; `skip` says why the tests do not run it."""

    language: str
    skip: str
    code: str


def blocks(document: Path, language: str = "bash") -> list[Block]:
    found = [Block(name, skip, code) for name, skip, code in _BLOCK.findall(document.read_text())]
    return [block for block in found if block.language == language]


def runnable(document: Path) -> str:
    """All that a reader of a page pastes into a shell, in its order."""
    return "".join(block.code for block in blocks(document) if not block.skip)


def fences(document: Path) -> int:
    return len(re.findall(r"^```", document.read_text(), re.MULTILINE))


def title(document: Path) -> str:
    return str(document.relative_to(ROOT))


def section(document: Path, title: str) -> str:
    return document.read_text().split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def without_first_column(text: str) -> str:
    """Rows of tables lose their first cell: what it names is not ours."""
    return re.sub(r"^\|[^|]*\|", "|", text, flags=re.MULTILINE)
