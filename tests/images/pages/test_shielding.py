"""A part of a page that cannot be shown is replaced, and nothing of what was half shown remains."""

from django.template import Context, Template

TEXT = """{% load pix %}{% for part in parts %}
{% shielded part %}{% with x=part %}<{{ x.name }}{% if x.fails %}{{ x.explode }}{% endif %}>{% endwith %}
{% instead %}[{{ part.name }}]{% endshielded %}{% endfor %}"""


class Part:
    def __init__(self, name: str, *, fails: bool = False) -> None:
        self.name, self.fails = name, fails

    def explode(self) -> str:
        raise ValueError("spoiled")


def test_only_the_failing_part_is_replaced():
    shown = Template(TEXT).render(Context({"parts": [Part("a"), Part("b", fails=True), Part("c")]}))
    assert shown.split() == ["<a>", "[b]", "<c>"]
