"""Results in the admin: every file that an operation made, under the name that its request asked for."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from unfold.decorators import display

from pixproject.web.admin import PixModelAdmin
from pixproject.web.templatetags.pix import byte_size
from pixproject.web.templatetags.pix_admin import unbroken, when
from processing.models import OperationArtifact


@admin.register(OperationArtifact)
class ResultAdmin(PixModelAdmin):
    """Read only: results are made by operations and removed by retention."""

    list_display = (
        "result",
        "source_name",
        "operation_name",
        "format",
        "dimensions",
        "size",
        "folder",
        "made_at",
    )
    list_filter = ("artifact__format", "role", "artifact__created_at")
    search_fields = (
        "name",
        "source_name",
        "source_sha256",
        "folder",
        "operation__name",
        "operation__job__reference",
    )
    search_help_text = (
        "File name, source name, folder, operation, reference, or the ID of a result, job, image or file"
    )
    uuid_search = ("pk", "artifact_id", "operation__job_id", "artifact__image_id")
    ordering = ("-artifact__created_at", "-pk")
    fields = ("name",)

    @display(description="Result", ordering="name")
    def result(self, link: OperationArtifact) -> SafeString:
        return SafeString(render_to_string("admin/processing/operationartifact/_cell.html", {"link": link}))

    @display(description="Operation", ordering="operation__name")
    def operation_name(self, link: OperationArtifact) -> str:
        return link.operation.name

    @display(description="Format", ordering="artifact__format")
    def format(self, link: OperationArtifact) -> str:
        return link.artifact.format

    @display(description="Pixels")
    def dimensions(self, link: OperationArtifact) -> SafeString:
        return unbroken(f"{link.artifact.width} × {link.artifact.height}")

    @display(description="Size", ordering="artifact__byte_size")
    def size(self, link: OperationArtifact) -> str:
        return byte_size(link.artifact.byte_size)

    @display(description="Created", ordering="artifact__created_at")
    def made_at(self, link: OperationArtifact) -> SafeString:
        return when(link.artifact.created_at)

    def get_queryset(self, request: HttpRequest) -> QuerySet[OperationArtifact]:
        links: QuerySet[OperationArtifact] = super().get_queryset(request)
        return links.select_related("artifact__image", "operation__job")
