"""One part that cannot be shown must not take its page down."""

import logging

from django import template
from django.template.base import FilterExpression, NodeList, Parser, Token
from django.template.context import Context

logger = logging.getLogger("pix.pages")


class ShieldedNode(template.Node):
    """Shows `shown`, or `instead` when that raises; nothing of what was half shown remains."""

    def __init__(self, subject: FilterExpression, shown: NodeList, instead: NodeList) -> None:
        self.subject, self.shown, self.instead = subject, shown, instead

    def render(self, context: Context) -> str:
        depth = len(context.dicts)
        try:
            return self.shown.render(context)
        except Exception:  # whatever is wrong with the data of this part
            del context.dicts[depth:]
            subject = self.subject.resolve(context, ignore_failures=True)
            logger.exception("A part of a page cannot be shown: %s", getattr(subject, "pk", ""))
            return self.instead.render(context)


def shielded(parser: Parser, token: Token) -> ShieldedNode:
    """`{% shielded image %} … {% instead %} … {% endshielded %}`."""
    subject = parser.compile_filter(token.split_contents()[1])
    shown = parser.parse(("instead",))
    parser.delete_first_token()
    instead = parser.parse(("endshielded",))
    parser.delete_first_token()
    return ShieldedNode(subject, shown, instead)
