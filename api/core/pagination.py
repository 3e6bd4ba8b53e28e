import re
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import pagination, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from api.core.cursors import CursorPage, Place, page_at, read_cursor, total_order, written
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


class CursorQuery(QuerySerializer):
    cursor = serializers.CharField(
        required=False,
        allow_blank=True,
        help_text="Reads the list so that no row comes twice or is left out while others add and delete rows. Empty "
        "for the first page; `next` and `previous` hold the addresses of the others.",
    )
    page_size = serializers.IntegerField(
        required=False,
        default=PAGE_SIZE,
        min_value=1,
        max_value=MAX_PAGE_SIZE,
        help_text=f"Rows per page, 1 to {MAX_PAGE_SIZE}.",
    )


class PageQuery(CursorQuery):
    page = PageField(
        required=False,
        default=1,
        help_text="A page number, or `last`; not with `cursor`. Rows that others add or delete move between pages.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "cursor" in attrs and "page" in self.initial_data:
            raise serializers.ValidationError({"cursor": "Send either cursor or page."})
        return attrs


class ListPagination(pagination.PageNumberPagination):
    """Pages by number, which people can jump to, or by cursor, which changes of the list leave complete."""

    page_size = PAGE_SIZE
    invalid_page_message = "There is no page {page_number}."
    page_size_query_param = "page_size"
    page_query_description = str(PageQuery().fields["page"].help_text)
    page_size_query_description = str(PageQuery().fields["page_size"].help_text)
    is_always_by_cursor = False
    cursor_page: CursorPage | None = None

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any] | None:
        sent = {name: value for name, value in request.query_params.items() if name in PageQuery().fields}
        self.asked = PageQuery.check(sent, request)
        self.request, self.order = request, total_order(queryset)
        cursor = self.asked.get("cursor", "" if self.is_always_by_cursor else None)
        if cursor is None:
            # With the key in the order, rows with equal values do not change places from page to page.
            return super().paginate_queryset(queryset.order_by(*self.order), request, view)
        place = read_cursor(cursor, order=self.order, path=request.path)
        self.cursor_page = page_at(queryset, place, size=self.get_page_size(request))
        return self.cursor_page.rows

    def get_page_size(self, request: Request) -> int:
        return int(self.asked["page_size"])

    def get_page_number(self, request: Request, paginator: Any) -> str:
        page = self.asked["page"]
        return str(paginator.num_pages if page == "last" else page)

    def get_next_link(self) -> str | None:
        return self._address(self.cursor_page.next) if self.cursor_page else super().get_next_link()

    def get_previous_link(self) -> str | None:
        return self._address(self.cursor_page.previous) if self.cursor_page else super().get_previous_link()

    def _address(self, place: Place | None) -> str | None:
        if place is None:
            return None
        request: Any = self.request
        cursor = written(place, order=self.order, path=request.path)
        return str(replace_query_param(request.build_absolute_uri(), "cursor", cursor))

    def get_paginated_response(self, data: Any) -> Response:
        if not self.cursor_page:
            return super().get_paginated_response(data)
        links = {"next": self.get_next_link(), "previous": self.get_previous_link()}
        return Response({**links, "results": data})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        page: dict[str, Any] = super().get_paginated_response_schema(schema)
        page["required"] = ["next", "previous", "results"]
        page["properties"]["count"]["description"] = "All rows, on all pages; not with `cursor`."
        return page

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        cursor = {
            "name": "cursor",
            "required": False,
            "in": "query",
            "description": str(PageQuery().fields["cursor"].help_text),
            "schema": {"type": "string"},
        }
        return [cursor, *super().get_schema_operation_parameters(view)]
