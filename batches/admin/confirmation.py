"""Asking before something is done with chosen batches, doing it, and telling what was and what was not."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from rest_framework.exceptions import PermissionDenied

from api.core.errors import ApiError
from api.core.phrases import counted
from pixproject.web.admin import PixModelAdmin, go_back

MOST_SENTENCES = 10
MOST_LINES = 50


@dataclass(frozen=True)
class Line:
    """What the page says of one batch: `cells` in the order of the question's columns, or why it is left out."""

    batch: Any
    cells: Sequence[str] = ()
    refusal: str = ""


Row = tuple[Line, list[tuple[str, str]]]


def rows(lines: Iterable[Line], columns: Sequence[str]) -> list[Row]:
    """Each line with its cells under their names, which a narrow page shows beside them."""
    return [(line, list(zip(columns, line.cells, strict=not line.refusal))) for line in lines]


@dataclass(frozen=True)
class Question:
    """A page that says what is about to happen, to how many, and how long it takes."""

    act: str
    title: str
    sentence: str
    button: str
    icon: str
    lines: Sequence[Line]
    columns: Sequence[str] = ("Images",)
    facts: Sequence[tuple[str, str]] = ()
    form: forms.Form | None = None
    hidden: Sequence[tuple[str, str]] = ()
    is_danger: bool = False
    is_possible: bool = True

    @property
    def rows(self) -> list[Row]:
        return rows(self.lines[:MOST_LINES], self.columns)

    @property
    def more(self) -> int:
        return max(0, len(self.lines) - MOST_LINES)


def is_confirmed(request: HttpRequest) -> bool:
    return request.POST.get("confirmed") == "yes"


def back_url(request: HttpRequest) -> str:
    """Where the question was asked: a batch's page, or the list."""
    page = go_back(request)
    return page.headers["Location"] if page is not None else request.get_full_path()


def ask(model_admin: PixModelAdmin, request: HttpRequest, question: Question) -> HttpResponse:
    context = model_admin.page(request, question.title) | {
        "question": question,
        "selected": request.POST.getlist("_selected_action"),
        "back_url": back_url(request),
    }
    return TemplateResponse(request, "admin/batches/batch/confirm.html", context)


def can_any(lines: Sequence[Line]) -> bool:
    return any(not line.refusal for line in lines)


def left_out(lines: Sequence[Line]) -> list[tuple[str, str]]:
    """How many of the chosen batches it will not touch, as a fact of the question."""
    count = sum(1 for line in lines if line.refusal)
    return [("Skipped", f"{count} of {counted(len(lines), 'batch', 'batches')}")] if count else []


def images_in(batches: Iterable[Any]) -> str:
    """Such as: 3 batches with 120 images."""
    chosen = list(batches)
    images = sum(batch.image_count for batch in chosen)
    return f"{counted(len(chosen), 'batch', 'batches')} with {counted(images, 'image')}"


def each(
    model_admin: PixModelAdmin,
    request: HttpRequest,
    batches: Sequence[Any],
    change: Callable[[Any], object],
    done: str,
    *,
    why_not: str = "",
) -> HttpResponse:
    """Apply `change` to each batch that allows it; the services write the audit log.

    Args:
        change: answers False where there was nothing to do, and raises ApiError where it must not be done.
        why_not: the sentence for False.
    """
    changed, refusals = 0, []
    for batch in batches:
        try:
            if change(batch) is False:
                refusals.append(f"{batch.batch_name}: {why_not}")
            else:
                changed += 1
        except ApiError as error:
            refusals.append(f"{batch.batch_name}: {error.detail}")
        except PermissionDenied as error:
            refusals.append(f"{batch.batch_name}: {error.detail}")
    report_changes(request, changed, len(batches), done, refusals)
    return go_back(request) or redirect(request.get_full_path())


def report_changes(
    request: HttpRequest, changed: int, total: int, done: str, refusals: Sequence[str]
) -> None:
    if changed:
        messages.success(request, f"{changed} of {counted(total, 'batch', 'batches')} {done}.")
    for sentence in refusals[:MOST_SENTENCES]:
        messages.error(request, sentence)
    if len(refusals) > MOST_SENTENCES:
        more = counted(len(refusals) - MOST_SENTENCES, "more batch was", "more batches were")
        messages.error(request, f"{more} skipped for similar reasons.")
