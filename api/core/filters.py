"""Filters of lists: a filter that nobody knows is an error, not silently everything."""

from typing import Any

from django import forms
from django.db.models import QuerySet
from django_filters.rest_framework import BooleanFilter, DjangoFilterBackend, MultipleChoiceFilter
from rest_framework.request import Request

from api.core import phrases
from api.core.errors import ErrorCode, invalid_field, unknown_fields
from api.core.pagination import PageQuery
from api.core.requests import refuse_repeated
from pixproject.web.base.text import has_unstorable_characters

_TRUTHS = {"true": True, "1": True, "false": False, "0": False}


class TruthField(forms.NullBooleanField):
    """True or false; another word is an error, where Django's own field takes it for nothing."""

    def to_python(self, value: Any) -> Any:
        word = str(value or "").strip().lower()
        if word and word not in _TRUTHS:
            raise forms.ValidationError(phrases.not_a_choice(word, ("true", "false")), code="invalid")
        return _TRUTHS.get(word)


class StrictBooleanFilter(BooleanFilter):
    field_class = TruthField

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, widget=forms.TextInput, **options)


class StrictFilterBackend(DjangoFilterBackend):
    """Filters apply to lists only; a view may name further parameters in `query_parameters`."""

    def filter_queryset(self, request: Request, queryset: QuerySet, view: Any) -> QuerySet:
        if getattr(view, "detail", False):
            return queryset
        filterset = self.get_filterset(request, queryset, view)
        filters = filterset.filters if filterset else {}
        known = {*PageQuery().fields, *getattr(view, "query_parameters", ()), *filters}
        if unknown := set(request.query_params) - known:
            raise unknown_fields(unknown, phrases.unknown_filter(known))
        several = [name for name, one in filters.items() if isinstance(one, MultipleChoiceFilter)]
        refuse_repeated(request, except_for=several)
        for name, values in request.query_params.lists():
            if any(has_unstorable_characters(value) for value in values):
                raise invalid_field(name, phrases.UNSTORABLE)
            if name in filters and not all(value.strip() for value in values):
                # django-filter would leave it out and answer with everything.
                raise invalid_field(name, phrases.EMPTY_FILTER, code=ErrorCode.BLANK)
        filtered: QuerySet = super().filter_queryset(request, queryset, view)
        return filtered
