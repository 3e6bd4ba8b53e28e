"""The map of a batch: every image as a point."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
