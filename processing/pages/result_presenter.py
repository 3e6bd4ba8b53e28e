"""What the pages show of one result: its file beside the image that it was made from."""

from dataclasses import dataclass
from typing import Any

from processing.algorithms.codecs.formats import FORMATS
from processing.algorithms.operations.table import OPERATIONS
from processing.handlers import PIPELINE, steps_of
from processing.models import Operation, OperationArtifact

SHOWN_BY_BROWSERS = frozenset({"jpg", "png", "webp", "avif", "gif", "bmp"})
SAME_SHAPE = 0.02  # how far two aspect ratios may be apart for one image to be laid over the other


def operation_title(name: str, parameters: Any = None) -> str:
    if name == PIPELINE and isinstance(parameters, dict):
        return " → ".join(operation_title(step["name"]) for step in parameters.get("steps", []))
    spec = OPERATIONS.get(name)
    return spec.title if spec else name.replace("_", " ").capitalize()


@dataclass(frozen=True)
class Result:
    """One result file beside the image that it was made from."""

    link: OperationArtifact

    @property
    def operation(self) -> Operation:
        return self.link.operation

    @property
    def artifact(self) -> Any:
        return self.link.artifact

    @property
    def image(self) -> Any:
        return self.link.operation.image

    @property
    def title(self) -> str:
        title = operation_title(self.operation.name, self.operation.parameters)
        return title if self.link.role == "result" else f"{title}: {self.link.role.replace('_', ' ')}"

    @property
    def url(self) -> str:
        return f"/api/artifacts/{self.link.pk}/file/"

    @property
    def download_url(self) -> str:
        return f"{self.url}?download=1"

    @property
    def mime_type(self) -> str:
        return FORMATS[self.artifact.format].mime_type

    @property
    def has_source(self) -> bool:
        return self.image is not None and self.image.status in ("ready", "trashed")

    @property
    def is_shown(self) -> bool:
        """An image is never enlarged for nothing: tiff and the like are for downloading."""
        return self.artifact.format in SHOWN_BY_BROWSERS

    @property
    def has_transparency(self) -> bool:
        """Whether parts of either image can be seen through: a pattern lies behind these only."""
        if self.image is not None and self.image.has_alpha:
            return True
        steps = steps_of(self.operation.name, self.operation.parameters)
        turns = [given for name, given in steps if name == "rotate" and given["angle"] % 90]
        has_corners = any(given.get("fill", "transparent") == "transparent" for given in turns)
        return has_corners and FORMATS[self.artifact.format].has_alpha

    @property
    def can_compare(self) -> bool:
        if not (self.is_shown and self.has_source):
            return False
        before = self.image.width / self.image.height
        after = self.artifact.width / self.artifact.height
        return bool(abs(before - after) <= SAME_SHAPE * before)

    @property
    def saved_percent(self) -> int | None:
        """How much smaller than the source, in percent of it; negative when it grew."""
        if self.image is None:
            return None
        share = float(self.artifact.byte_size / self.image.byte_size)
        return round(100 * (1 - share))

    @property
    def grown_percent(self) -> int:
        return -(self.saved_percent or 0)

    @property
    def saved_bytes(self) -> int:
        return int(self.image.byte_size - self.artifact.byte_size) if self.image else 0

    @property
    def is_resized(self) -> bool:
        size = (self.artifact.width, self.artifact.height)
        return self.image is not None and (self.image.width, self.image.height) != size
