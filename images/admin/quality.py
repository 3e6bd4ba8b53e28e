"""Quality in the list of images: a bar for the grade, chips for the faults, a filter, measuring again."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from unfold.decorators import action, display

from api.core.errors import ApiError
from images.models import Image
from images.quality import service as quality
from pixproject.web.admin import go_back
from processing.algorithms.quality.causes import CAUSES

MOST_CHIPS = 3


class IssueFilter(admin.SimpleListFilter):
    """Images with a fault, or with any."""

    title = "quality"
    parameter_name = "issue"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        faults = [(cause.code, cause.fault) for cause in CAUSES.values()]
        return [("any", "any problem"), ("none", "no problems"), ("unmeasured", "not measured"), *faults]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Image]) -> QuerySet[Image]:
        match self.value():
            case None:
                return queryset
            case "any":
                return queryset.exclude(issues=[])
            case "none":
                return queryset.filter(issues=[], quality_grade__isnull=False)
            case "unmeasured":
                return queryset.filter(quality_grade=None)
            case code:
                return queryset.filter(issues__contains=[{"code": code}])


class QualityColumns:
    """Mixed into the admin of images."""

    @display(description="Quality", ordering="quality_grade")
    def grade(self, image: Image) -> SafeString:
        sentences = [str(issue["explanation"]) for issue in image.issues[:MOST_CHIPS]]
        context = {
            "grade": image.quality_grade,
            # A fault in a word or two, and its whole sentence: 'blurred: sharpness 0.11 < 0.38'.
            "chips": [(sentence.partition(":")[0], sentence) for sentence in sentences],
            "more": max(0, len(image.issues) - MOST_CHIPS),
        }
        return SafeString(render_to_string("admin/images/image/_quality.html", context))

    @action(description="Re-measure", permissions=["process"])
    def remeasure(self, request: HttpRequest, queryset: QuerySet[Image]) -> HttpResponse | None:
        chosen = list(queryset)
        whole = [image for image in chosen if image.status == Image.Status.READY]
        if whole:
            try:
                job = quality.submit_quality(whole, requested_by=request.user, source=Image.Source.ADMIN)
            except ApiError as error:
                messages.error(request, error.detail)
                return go_back(request)
            self.audit(request, "image.measure", job, {"images": len(whole)})  # type: ignore[attr-defined]
        self.say(  # type: ignore[attr-defined]
            request, len(whole), len(chosen), "queued for measuring", why_not="not ready"
        )
        return go_back(request)
