from typing import Any

from rest_framework import pagination
from rest_framework.request import Request

from api.core.errors import invalid_field


class PagePagination(pagination.PageNumberPagination):
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200
    page_size_query_description = f"Rows per page, 1 to {max_page_size}."

    def get_page_size(self, request: Request) -> int:
        text = request.query_params.get("page_size", str(self.page_size))
        if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= self.max_page_size):
            raise invalid_field(
                "page_size", f"Enter a whole number from 1 to {self.max_page_size}, not {text[:50]!r}."
            )
        return int(text)

    def get_page_number(self, request: Request, paginator: Any) -> str:
        text: str = request.query_params.get("page", "1")
        if not (text == "last" or (text.isascii() and text.isdigit() and len(text) < 10 and int(text) > 0)):
            raise invalid_field("page", f"Enter a page number of at least 1, or 'last', not {text[:50]!r}.")
        return text
