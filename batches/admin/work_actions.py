"""Work on chosen batches: group them, process their images, retry, cancel; each says beforehand what it takes."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from unfold.decorators import action

from api.core.errors import ApiError
from api.core.phrases import counted
from batches.admin.confirmation import Line, Question, ask, back_url, each, images_in, is_confirmed
from batches.admin.forms import AnalyzeForm, analysis_initial
from batches.admin.process import process_page
from batches.clustering import service as analysis
from batches.history import changes
from batches.models import Batch, ClusterRun
from batches.processing import cancel_jobs, retry_jobs
from pixproject.web.admin import PixModelAdmin, add_refusal
from pixproject.web.templatetags.pix_admin import duration
from processing import estimates
from processing.models import Operation
from processing.states import OPERATION_OPEN, OperationStatus


def range_of(p50: float, p90: float, based_on: int) -> str:
    if not p90:
        return "nothing to compute"
    if not based_on:
        return f"about {duration(p50)} (a guess: no similar work has been measured here)"
    return f"about {duration(p50)}, rarely more than {duration(p90)} (from {counted(based_on, 'measured piece')})"


class WorkActions(PixModelAdmin):
    """What becomes or is a job."""

    @action(description="Analyze…", permissions=["process"])
    def analyze(self, request: HttpRequest, queryset: QuerySet[Batch]) -> HttpResponse:
        batches = list(queryset.select_related("active_run"))
        if "stage" not in request.POST:
            return self._analyze_form(request, batches, AnalyzeForm(initial=analysis_initial(batches)))
        form = AnalyzeForm(request.POST)
        if not form.is_valid():
            return self._analyze_form(request, batches, form)
        try:
            parameters = analysis.parse_parameters(form.parameters())
        except ApiError as error:
            add_refusal(form, error)
            return self._analyze_form(request, batches, form)
        mode, activate = form.cleaned_data["mode"], form.cleaned_data["activate"]
        if not is_confirmed(request):
            return ask(self, request, _analysis_question(form, batches, parameters))

        def change(batch: Batch) -> ClusterRun:
            return analysis.submit_analysis(
                batch,
                parameters=parameters,
                mode=mode,
                activate=activate,
                actor=request.user,
                source="admin",
            )

        return each(self, request, batches, change, "queued for analysis")

    def _analyze_form(self, request: HttpRequest, batches: Sequence[Any], form: AnalyzeForm) -> HttpResponse:
        context = self.page(request, f"Analyze {images_in(batches)}") | {
            "form": form,
            "selected": request.POST.getlist("_selected_action"),
            "back_url": back_url(request),
        }
        return TemplateResponse(request, "admin/batches/batch/analyze.html", context)

    @action(description="Process…", permissions=["process"])
    def process(self, request: HttpRequest, queryset: QuerySet[Batch]) -> HttpResponse:
        return process_page(self, request, list(queryset))

    @action(description="Retry failed operations…", permissions=["process"])
    def retry_failed(self, request: HttpRequest, queryset: QuerySet[Batch]) -> HttpResponse:
        batches = list(queryset)
        if is_confirmed(request):
            return each(
                self,
                request,
                batches,
                lambda batch: retry_jobs(batch, only_failed=True, actor=request.user).operations > 0,
                "retried",
                why_not="It has no failed operations.",
            )
        failed = _operations(batches, [OperationStatus.FAILED])
        work: Counter[tuple[str, str]] = Counter()
        for (_, name, queue), count in failed.items():
            work[name, queue] += count
        estimate = estimates.estimate(work)
        question = Question(
            act="retry_failed",
            title=f"Retry the failed operations of {images_in(batches)}?",
            sentence="All failed operations of these batches are queued again. Completed ones are kept.",
            button="Retry",
            icon="replay",
            lines=_operation_lines(batches, failed),
            columns=("Images", "Failed operations"),
            facts=[
                ("Failed operations", str(sum(failed.values()))),
                ("Takes", range_of(estimate.seconds_p50, estimate.seconds_p90, estimate.based_on)),
            ],
            is_possible=bool(failed),
        )
        return ask(self, request, question)

    @action(description="Cancel jobs…", permissions=["process"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Batch]) -> HttpResponse:
        batches = list(queryset)
        if is_confirmed(request):
            return each(
                self,
                request,
                batches,
                lambda batch: cancel_jobs(batch, actor=request.user).operations > 0,
                "cancelled",
                why_not="It has no unfinished operations.",
            )
        under_way = _operations(batches, OPERATION_OPEN)
        question = Question(
            act="cancel",
            title=f"Cancel the jobs of {images_in(batches)}?",
            sentence="Queued operations are removed and running ones are stopped. Completed ones are kept.",
            button="Cancel jobs",
            icon="cancel",
            lines=_operation_lines(batches, under_way),
            columns=("Images", "Unfinished operations"),
            facts=[
                ("Unfinished operations", str(sum(under_way.values()))),
                ("Takes", "about a second"),
            ],
            is_danger=True,
            is_possible=bool(under_way),
        )
        return ask(self, request, question)


def _analysis_question(form: AnalyzeForm, batches: Sequence[Any], parameters: dict[str, Any]) -> Question:
    mode = form.cleaned_data["mode"]
    lines, p50, p90, based_on, possible = [], 0.0, 0.0, 0, 0
    for batch in batches:
        try:
            changes.check_open(batch)
            estimate = analysis.estimate_analysis(batch, parameters=parameters, mode=mode)
        except ApiError as error:
            lines.append(Line(batch, refusal=error.detail))
            continue
        possible += 1
        seconds = estimate["seconds"]
        p50, p90, based_on = p50 + seconds["p50"], p90 + seconds["p90"], based_on + estimate["based_on"]
        cells = (str(estimate["images"]), str(estimate["to_embed"]), duration(seconds["p50"]))
        lines.append(Line(batch, (*cells, " ".join(estimate["notes"]))))
    return Question(
        act="analyze",
        title=f"Analyze {images_in(batches)}?",
        sentence="Missing vectors are computed first, then the images are grouped. Whatever people placed, confirmed "
        "or locked stays where it is.",
        button="Start",
        icon="play_arrow",
        lines=lines,
        columns=("Images", "Vectors to compute", "Takes", "Notes"),
        facts=[
            ("Batches", f"{possible} of {len(batches)}"),
            ("Parameters", ", ".join(f"{name} {_word(value)}" for name, value in parameters.items())),
            ("Total time", range_of(p50, p90, based_on)),
        ],
        hidden=[
            ("stage", "start"),
            *((name, str(form.data[name])) for name in form.fields if form.data.get(name)),
        ],
        is_possible=possible > 0,
    )


def _word(value: Any) -> str:
    return "same as min_cluster_size" if value is None else str(value).lower()


def _operations(batches: Sequence[Any], statuses: Sequence[str]) -> Counter[tuple[Any, str, str]]:
    """How many operations each batch has in these statuses: by (batch, name, queue)."""
    operations = Operation.objects.filter(job__batch__in=[batch.pk for batch in batches], status__in=statuses)
    return Counter(operations.order_by().values_list("job__batch", "name", "queue"))


def _operation_lines(batches: Sequence[Any], counts: Counter[tuple[Any, str, str]]) -> list[Line]:
    of_batch: Counter[Any] = Counter()
    for (key, _, _), count in counts.items():
        of_batch[key] += count
    return [Line(batch, (str(batch.image_count), str(of_batch[batch.pk]))) for batch in batches]
