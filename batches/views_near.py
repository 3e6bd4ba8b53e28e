"""Near-duplicates of a batch."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
