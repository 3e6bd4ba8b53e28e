"""Templates can be read in a diff: djhtml indents them, and no line is wider than the screen beside it."""

from pathlib import Path

from django.template.loader import get_template

ROOT = Path(__file__).parents[1] / "templates"
WIDTH = 120


def test_no_line_is_wider_than_120_columns():
    wide = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in sorted(ROOT.rglob("*.html"))
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if len(line) > WIDTH
    ]

    assert wide == []


def test_every_template_compiles():
    for path in ROOT.rglob("*.html"):
        get_template(str(path.relative_to(ROOT)))
