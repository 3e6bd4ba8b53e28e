"""The review page: groups as strips, one group as a grid, what is in no group."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
