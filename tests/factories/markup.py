"""Pages as tests compare them, however their templates are laid out."""

import re


def squeezed(page: str) -> str:
    """HTML with single spaces, and none between tags or before a tag's end."""
    text = re.sub(r"\s+", " ", page)
    return re.sub(r"(?<=>) (?=<)| (?=>)", "", text)
