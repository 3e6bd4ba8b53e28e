import re
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import pagination, serializers
from rest_framework.request import Request

from api.core.requests import QuerySerializer

PAGE_SIZE, MAX_PAGE_SIZE = 50, 200


@extend_schema_field({"type": "integer", "minimum": 1, "maximum": 10**9 - 1})
class PageField(serializers.Field):
    """The number of a page, or `last`."""

    default_error_messages = {"invalid": "Enter a page number of at least 1, or 'last'."}

    def to_internal_value(self, data: Any) -> int | str:
        if not isinstance(data, str) or not re.fullmatch("last|0*[1-9][0-9]{0,8}", data):
            self.fail("invalid")
        return data if data == "last" else int(data)

    def to_representation(self, value: Any) -> Any:
        return value


class PageQuery(QuerySerializer):
    page = PageField(required=False, default=1, help_text="A page number, or `last`.")
    page_size = serializers.IntegerField(
        required=False,
        default=PAGE_SIZE,
        min_value=1,
        max_value=MAX_PAGE_SIZE,
        help_text=f"Rows per page, 1 to {MAX_PAGE_SIZE}.",
    )


class PagePagination(pagination.PageNumberPagination):
    page_size = PAGE_SIZE
    invalid_page_message = "There is no page {page_number}."
    page_size_query_param = "page_size"
    page_size_query_description = str(PageQuery().fields["page_size"].help_text)

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any] | None:
        sent = {name: value for name, value in request.query_params.items() if name in PageQuery().fields}
        self.asked = PageQuery.check(sent, request)
        return super().paginate_queryset(queryset, request, view)

    def get_page_size(self, request: Request) -> int:
        return int(self.asked["page_size"])

    def get_page_number(self, request: Request, paginator: Any) -> str:
        page = self.asked["page"]
        return str(paginator.num_pages if page == "last" else page)
