"""Pages as tests compare them, however their templates are laid out."""

import re

from django.http import HttpResponse


def squeezed(page: str) -> str:
    """HTML with single spaces, and none between tags or before a tag's end."""
    text = re.sub(r"\s+", " ", page)
    return re.sub(r"(?<=>) (?=<)| (?=>)", "", text)


def text_of(response: HttpResponse, status: int = 200) -> str:
    """The page of an answer that has this status."""
    assert response.status_code == status, response.content[:500]
    return squeezed(response.content.decode())
