"""The pages of batches: the list, a new one, one batch with its runs, history and stages."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
