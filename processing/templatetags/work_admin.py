"""How the admin writes jobs and shows results."""

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from processing.models import Job, OperationArtifact
from processing.pages.job_presenter import job_title
from processing.states import JobStatus
from processing.storage.links import signed_url

# Formats that browsers show, and the most bytes that a page fetches for one of its many images.
SHOWN_FORMATS = ("jpg", "png", "webp", "avif", "gif", "bmp")
MAX_PREVIEW_BYTES = 4 * 2**20

register = template.Library()
register.filter(job_title)


@register.filter
def link_url(link: OperationArtifact) -> str:
    """A signed address of a result."""
    return signed_url(link)[0]


@register.simple_tag
def preview(
    link: OperationArtifact, css: str = "pix-thumb", max_bytes: int = MAX_PREVIEW_BYTES
) -> SafeString:
    """A result as an image, or the name of its format where that is too large or not for browsers."""
    artifact = link.artifact
    if artifact.format not in SHOWN_FORMATS or artifact.byte_size > max_bytes:
        return format_html(
            '<span class="{} pix-noimage" title="{}">{}</span>', css, link.name, artifact.format
        )
    picture = '<img class="{}" src="{}" alt="{}" loading="lazy" decoding="async">'
    return format_html(picture, css, link_url(link), link.name)


@register.filter
def outcome(job: Job, operations: str) -> str:
    """How far a job is, without what failed: '3 of 5 operations done, 1 cancelled'."""
    if job.status == JobStatus.CANCELLED:
        return f"{job.operations_completed} of {operations} completed, cancelled"
    cancelled = f", {job.operations_cancelled} cancelled" if job.operations_cancelled else ""
    return f"{job.operations_done} of {operations} done{cancelled}"


@register.filter
def progress_label(job: Job) -> str:
    if job.status == JobStatus.CANCELLED:
        return f"Progress: {job.operations_completed} of {job.operations_total} completed, cancelled"
    return f"Progress: {job.percent} percent"
