"""Filters, search and order of the image list."""

import unicodedata
from collections.abc import Mapping
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Q, QuerySet
from django_filters import rest_framework as filters
from django_filters.utils import translate_validation

from api.core.errors import ErrorCode, invalid_choice, invalid_field, unknown_fields
from api.core.filters import StrictBooleanFilter
from api.core.phrases import unknown_filter
from batches.models import Batch
from images import services
from images.duplicates import has_undecided
from images.models import Image
from images.quality.service import ISSUE_CODES
from processing.algorithms.codecs.formats import FORMATS

MAX_INTEGER = 2**31 - 1
ORDERINGS = (
    "quality_grade",
    "created_at",
    "captured_at",
    "byte_size",
    "width",
    "height",
    "original_filename",
    "title",
)


def _number(field: str, lookup: str) -> filters.NumberFilter:
    return filters.NumberFilter(field, lookup, min_value=0, max_value=MAX_INTEGER, decimal_places=0)


class ImageFilter(filters.FilterSet):
    status = filters.ChoiceFilter(choices=Image.Status.choices)
    kind = filters.ChoiceFilter(choices=Image.Kind.choices)
    source = filters.ChoiceFilter(choices=Image.Source.choices)
    format = filters.ChoiceFilter(choices=[(name, name) for name in FORMATS])
    batch = filters.ModelChoiceFilter(field_name="batch_images__batch", queryset=Batch.objects.all())
    tag = filters.CharFilter(method="having_tag", max_length=64)
    uploaded_by = filters.CharFilter(method="sent_by", max_length=150, help_text="A user name, or me.")
    reference = filters.CharFilter("reference", max_length=200)
    sha256 = filters.CharFilter(method="with_hash", max_length=64)
    pinned = StrictBooleanFilter("pinned")
    captured_after = filters.IsoDateTimeFilter("captured_at", "gte")
    captured_before = filters.IsoDateTimeFilter("captured_at", "lt")
    created_after = filters.IsoDateTimeFilter("created_at", "gte")
    created_before = filters.IsoDateTimeFilter("created_at", "lt")
    width_min = _number("width", "gte")
    width_max = _number("width", "lte")
    height_min = _number("height", "gte")
    height_max = _number("height", "lte")
    min_quality = filters.NumberFilter(
        "quality_grade", "gte", min_value=0, max_value=100, help_text="Lowest grade, 0 to 100."
    )
    issue = filters.CharFilter(
        method="with_issue",
        max_length=64,
        help_text="Code of an issue, such as blurred; any: at least one issue.",
    )
    deleted = StrictBooleanFilter(method="in_trash", help_text="true: only images in the trash.")
    has_duplicates = StrictBooleanFilter(
        method="in_pairs", help_text="In an undecided pair of near-duplicates."
    )
    search = filters.CharFilter(
        method="found",
        max_length=200,
        help_text="Searches file name, title, reference, tags, camera and lens.",
    )
    ordering = filters.OrderingFilter(fields=[(name, name) for name in ORDERINGS])

    class Meta:
        model = Image
        fields: list[str] = []

    def filter_queryset(self, queryset: QuerySet) -> QuerySet:
        """The trash is shown to whoever asks for it."""
        query = self.form.cleaned_data
        if not query.get("status") and query.get("deleted") is None:
            queryset = queryset.filter(status__in=Image.PRESENT)
        queryset = super().filter_queryset(queryset)
        # The id makes the order of equal rows steady, or pages would repeat and miss some.
        return queryset.order_by(*queryset.query.order_by, "-id") if query.get("ordering") else queryset

    def having_tag(self, queryset: QuerySet, _name: str, value: str) -> QuerySet:
        return queryset.filter(tags__contains=[value])

    def sent_by(self, queryset: QuerySet, name: str, value: str) -> QuerySet:
        if value == "me":
            return queryset.filter(uploaded_by=self.request.user)
        user = get_user_model().objects.filter(username=value).first()
        if user is None:
            raise invalid_field(name, f"There is no user {value!r}.", code=ErrorCode.DOES_NOT_EXIST)
        return queryset.filter(uploaded_by=user)

    def with_hash(self, queryset: QuerySet, name: str, value: str) -> QuerySet:
        if len(value) != 64 or not set(value.lower()) <= set("0123456789abcdef"):
            raise invalid_field(name, "Enter 64 hexadecimal digits.")
        return queryset.filter(sha256=value.lower())

    def with_issue(self, queryset: QuerySet, name: str, value: str) -> QuerySet:
        if value == "any":
            return queryset.exclude(issues=[])
        if value not in ISSUE_CODES:
            raise invalid_choice(name, value, ["any", *ISSUE_CODES])
        return queryset.filter(issues__contains=[{"code": value}])

    def in_trash(self, queryset: QuerySet, _name: str, value: bool) -> QuerySet:
        return queryset.filter(status__in=(Image.Status.TRASHED,) if value else Image.PRESENT)

    def in_pairs(self, queryset: QuerySet, _name: str, value: bool) -> QuerySet:
        return queryset.filter(has_undecided() if value else ~has_undecided())

    def found(self, queryset: QuerySet, _name: str, value: str) -> QuerySet:
        words: Any = Q()
        for word in value.split()[:10]:
            # A Mac sends names with accents apart from their letters, a keyboard both as one character.
            forms: Any = Q()
            for form in sorted({unicodedata.normalize(name, word) for name in ("NFC", "NFD")}):
                forms |= (
                    Q(original_filename__icontains=form)
                    | Q(title__icontains=form)
                    | Q(reference__icontains=form)
                    | Q(tags__contains=[form])
                    | Q(exif__camera__icontains=form)
                    | Q(exif__lens__icontains=form)
                )
            words &= forms
        return queryset.filter(words)


def chosen(filters: Mapping[str, str], *, queryset: QuerySet, request: Any) -> QuerySet:
    """The images that match these filters of the list, at most 10 000.

    Raises:
        ApiError: 400 for an unknown filter or too many images.
        ValidationError: naming the filters whose values are wrong.
    """
    if set(filters) - set(ImageFilter.base_filters):
        raise unknown_fields(["filter"], unknown_filter(ImageFilter.base_filters))
    filterset = ImageFilter(filters, queryset=queryset, request=request)
    if not filterset.is_valid():
        raise translate_validation(filterset.errors)
    services.check_bulk_size(filterset.qs.count())
    images: QuerySet = filterset.qs
    return images
