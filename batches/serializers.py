"""Batches, their groups and their history as JSON."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from batches import stages
from batches.models import Batch, BatchImage, ClusterRun, Group, GroupingChange
from images.serializers import ImageSerializer
from processing.models import Job, add_running
from processing.states import BACKGROUND_KINDS, JOB_TERMINAL, Priority

PARTS = (
    "images",
    "groups",
    "runs",
    "changes",
    "map",
    "suggestions",
    "near-duplicates",
    "analyze",
    "process",
    "manifest",
    "export",
    "statistics",
)
PLACE = ("assigned_by", "locked", "probability", "outlier_score", "decision", "reject_reason")
COUNTS = ("image_count", "assigned_count", "rejected_count", "group_count", "confirmed_count")


class BatchProgressSerializer(serializers.Serializer):
    """The work that is going on."""

    percent = serializers.IntegerField()
    job = serializers.UUIDField()
    kind = serializers.CharField()
    status = serializers.CharField()


class BatchSerializer(serializers.ModelSerializer):
    """A named set of images that is grouped, reviewed and worked on as one."""

    priority = serializers.ChoiceField(choices=Priority.labels, source="get_priority_display")
    owner = serializers.CharField(source="owner.username", default=None, allow_null=True)
    assignee = serializers.CharField(source="assignee.username", default=None, allow_null=True)
    reviewer = serializers.CharField(source="reviewer.username", default=None, allow_null=True)
    active_run = serializers.IntegerField(
        source="active_run.number", default=None, allow_null=True, help_text="Number of the active run."
    )
    image_count = serializers.IntegerField()
    assigned_count = serializers.IntegerField(help_text="Images in a group.")
    unassigned_count = serializers.SerializerMethodField(help_text="Images in no group.")
    rejected_count = serializers.IntegerField()
    group_count = serializers.IntegerField()
    confirmed_count = serializers.IntegerField(help_text="Groups that a person has confirmed.")
    progress = serializers.SerializerMethodField(help_text="null unless a job of the batch is unfinished.")
    moves = serializers.SerializerMethodField(
        help_text="What the caller may do in the current stage: submit, approve, reject, reopen."
    )
    links = serializers.SerializerMethodField()

    class Meta:
        model = Batch
        fields = [
            "id",
            "batch_name",
            "kind",
            "status",
            "review_stage",
            "priority",
            "parameters",
            "note",
            "owner",
            "assignee",
            "reviewer",
            "version",
            "active_run",
            *COUNTS[:2],
            "unassigned_count",
            *COUNTS[2:],
            "progress",
            "moves",
            "created_at",
            "updated_at",
            "archived_at",
            "deleted_at",
            "links",
        ]
        read_only_fields = fields

    def get_unassigned_count(self, batch: Any) -> int:
        return int(batch.image_count - batch.assigned_count)

    @extend_schema_field(BatchProgressSerializer(allow_null=True))
    def get_progress(self, batch: Batch) -> dict[str, Any] | None:
        job: Job | None = self.context["jobs"].get(batch.pk)
        if job is None:
            return None
        return {"percent": job.percent, "job": str(job.pk), "kind": job.kind, "status": job.status}

    @extend_schema_field(serializers.ListField(child=serializers.ChoiceField(choices=sorted(stages.MOVES))))
    def get_moves(self, batch: Batch) -> list[str]:
        request = self.context["request"]
        return stages.moves_open_to(batch, request.user, subject=request)

    @extend_schema_field(serializers.DictField(child=serializers.CharField()))
    def get_links(self, batch: Batch) -> dict[str, str]:
        path = f"/api/batches/{batch.pk}/"
        return {"self": path, "jobs": f"/api/jobs/?batch={batch.pk}"} | {
            part: f"{path}{part}/" for part in PARTS
        }


def batches_json(batches: Sequence[Batch], request: Any) -> list[dict[str, Any]]:
    """Batches of `services.listed` as JSON."""
    context = {"request": request, "jobs": live_jobs(batches)}
    return [dict(row) for row in BatchSerializer(batches, many=True, context=context).data]


class GroupSerializer(serializers.ModelSerializer):
    """Images of a batch that belong together."""

    title = serializers.CharField(help_text="The text that people see: the name, otherwise the label.")
    count = serializers.IntegerField(help_text="Number of images.")
    rejected_count = serializers.IntegerField()
    cover = serializers.UUIDField(
        source="shown_cover",
        allow_null=True,
        help_text="The image that represents the group: the chosen one, otherwise the medoid.",
    )
    cohesion = serializers.FloatField(
        allow_null=True,
        help_text="How similar the images are to each other, from 0 to 1; null without vectors.",
    )
    radius = serializers.FloatField(
        allow_null=True,
        help_text="Euclidean distance from the centroid, from 0 to 2, within which new images may join.",
    )

    class Meta:
        model = Group
        fields = [
            "id",
            "label",
            "name",
            "title",
            "colour",
            "status",
            "count",
            "rejected_count",
            "cover",
            "cohesion",
            "radius",
        ]
        read_only_fields = fields


class MemberSerializer(ImageSerializer):
    """An image of a batch: the image's own fields, and its place in the batch."""

    group_label = serializers.CharField(allow_null=True, help_text="null if the image is in no group.")
    assigned_by = serializers.ChoiceField(
        choices=BatchImage.AssignedBy.choices, allow_blank=True, help_text="Empty if nobody assigned it."
    )
    locked = serializers.BooleanField(help_text="A locked image stays where it is in every later run.")
    probability = serializers.FloatField(allow_null=True, help_text="Strength of membership, from 0 to 1.")
    outlier_score = serializers.FloatField(allow_null=True, help_text="From 0 to 1.")
    decision = serializers.ChoiceField(choices=BatchImage.Decision.choices)
    reject_reason = serializers.CharField()

    class Meta(ImageSerializer.Meta):
        fields = [
            *ImageSerializer.Meta.fields,
            "group_label",
            *PLACE,
        ]
        read_only_fields = fields


def members_json(members: Sequence[BatchImage], request: Any) -> list[dict[str, Any]]:
    """Images of a batch, loaded with their groups and scores, as JSON."""
    images = []
    for member in members:
        image: Any = member.image
        image.group_label = member.group.label if member.group is not None else None
        for name in PLACE:
            setattr(image, name, getattr(member, name))
        images.append(image)
    return [dict(row) for row in MemberSerializer(images, many=True, context={"request": request}).data]


class ChangeSerializer(serializers.ModelSerializer):
    """One step of a batch's history."""

    actor = serializers.CharField(source="actor_name", help_text="Empty for changes made by Pix.")
    undone_by = serializers.IntegerField(source="undone_by.sequence", default=None, allow_null=True)
    undoes = serializers.IntegerField(source="undoes.sequence", default=None, allow_null=True)
    is_undone = serializers.BooleanField()
    can_undo = serializers.SerializerMethodField()

    class Meta:
        model = GroupingChange
        fields = [
            "sequence",
            "kind",
            "summary",
            "actor",
            "created_at",
            "image_count",
            "version",
            "undoes",
            "is_undone",
            "undone_by",
            "can_undo",
        ]
        read_only_fields = fields

    def get_can_undo(self, change: GroupingChange) -> bool:
        return change.is_step and not change.is_undone


class RunSerializer(serializers.ModelSerializer):
    """One clustering of the batch's images, with all that is needed to repeat it."""

    job = serializers.UUIDField(source="job_id", allow_null=True)
    is_active = serializers.SerializerMethodField(help_text="Whether the batch uses the groups of this run.")
    created_by = serializers.CharField(source="created_by.username", default=None, allow_null=True)
    groups = serializers.ListField(
        child=serializers.DictField(), help_text="Size, radius, medoid and so on for each label."
    )
    notes = serializers.ListField(child=serializers.CharField())
    grid = serializers.ListField(child=serializers.DictField(), help_text="The results of a parameter sweep.")
    parameters = serializers.DictField()
    library_versions = serializers.DictField()

    class Meta:
        model = ClusterRun
        fields = [
            "id",
            "number",
            "mode",
            "status",
            "is_active",
            "model",
            "weights_sha256",
            "parameters",
            "seed",
            "library_versions",
            "image_set_sha256",
            "n_images",
            "n_groups",
            "n_noise",
            "validity",
            "notes",
            "groups",
            "grid",
            "job",
            "duration_ms",
            "error_code",
            "error_detail",
            "created_by",
            "created_at",
            "finished_at",
            "activated_at",
        ]
        read_only_fields = fields

    def get_is_active(self, run: ClusterRun) -> bool:
        return run.batch.active_run_id == run.pk


def live_jobs(batches: Sequence[Batch]) -> dict[UUID, Job]:
    """The newest unfinished job of each batch that has one, in two queries whatever their number."""
    unfinished = Job.objects.filter(batch__in=[batch.pk for batch in batches]).exclude(
        status__in=JOB_TERMINAL
    )
    jobs = list(unfinished.exclude(kind__in=BACKGROUND_KINDS).order_by("created_at"))
    add_running(jobs)
    return {job.batch_id: job for job in jobs if job.batch_id is not None}
