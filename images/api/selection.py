"""Which images a request is for: their ids, filters of the list, or all of them; never more than it says."""

from collections.abc import Collection, Mapping
from typing import Any

from rest_framework import serializers

from api.core.requests import FlagField, StrictSerializer
from images.selection import MOST_UNCOUNTED

NOT_FILTERS = {"ordering"}  # accepted among the filters, and narrow nothing
NO_FILTER = "Name at least one filter; to choose every image of the library, send all: true instead."


class SelectionSerializer(StrictSerializer):
    """Images by filters of the list, or all; a serializer that also takes ids names that field in `ids_name`."""

    ids_name = "ids"

    filter = serializers.DictField(
        child=serializers.CharField(),
        required=False,
        help_text="Filters of `GET /api/images/`, at least one, instead of ids; at most 10 000 images.",
    )
    all = FlagField(required=False, help_text="true: every image of the library, instead of ids and filter.")
    expected = serializers.IntegerField(
        required=False,
        min_value=0,
        max_value=2**31 - 1,
        help_text=(
            f"How many images the request is for; required above {MOST_UNCOUNTED}. 409 `count_changed` if it is "
            "for another number."
        ),
    )

    def check_selection(self, attrs: dict[str, Any], *, is_required: bool) -> None:
        """Refuse a request that chooses in two ways, or in none, or by a filter that narrows nothing."""
        ways = (self.ids_name, "filter", "all")
        said = [name for name in ways if name in attrs and attrs[name] is not False]
        sentence = f"Choose the images by {self.ids_name}, by filter, or by all: true."
        if len(said) > 1:
            raise serializers.ValidationError({self.ids_name: f"{sentence} These exclude each other."})
        if is_required and not said:
            raise serializers.ValidationError({self.ids_name: [required(sentence)]})
        if "filter" in attrs and not set(attrs["filter"]) - NOT_FILTERS:
            raise serializers.ValidationError({"filter": NO_FILTER})


def required(sentence: str) -> serializers.ErrorDetail:
    return serializers.ErrorDetail(sentence, "required")


def filters_of(values: Mapping[str, Any]) -> dict[str, str] | None:
    """The filters that a selection names, none of them for `all`; None where it chooses by ids."""
    if values.get("all"):
        return {}
    filters: dict[str, str] | None = values.get("filter")
    return filters


SELECTION_FIELDS: Collection[str] = ("filter", "all", "expected")
