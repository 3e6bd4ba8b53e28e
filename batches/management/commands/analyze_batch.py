import sys
import time
from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from api.core.errors import ApiError
from batches.clustering import service as analysis
from batches.clustering.parameters import ACTIVATIONS, MODES
from batches.clustering.run_status import OPEN, sync_runs
from batches.models import Batch, ClusterRun
from batches.phrases import groups, images
from processing.models import add_running

POLL_S = 0.3
GROUPS_SHOWN = 50
RunStatus = ClusterRun.Status


class Command(BaseCommand):
    help = "Group the images of a batch. The workers do the work."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("batch", help="name or ID of the batch; if several have this name, the newest")
        parser.add_argument(
            "--mode",
            choices=MODES,
            default="full",
            help="all images (the default), only those added since the last run, or a grid of parameters",
        )
        parser.add_argument("--model", help="embedding model (default: DEFAULT_EMBEDDER)")
        parser.add_argument("--min-cluster-size", type=int, help="smaller groups are not formed")
        parser.add_argument(
            "--min-samples", help="number of neighbours; null: the same as --min-cluster-size"
        )
        parser.add_argument("--metric", help="euclidean or cosine")
        parser.add_argument("--cluster-selection-method", help="eom or leaf")
        parser.add_argument(
            "--cluster-selection-epsilon", type=float, help="groups closer than this distance are joined"
        )
        parser.add_argument(
            "--allow-single-cluster",
            action="store_const",
            const=True,
            help="allow all images to form one group",
        )
        parser.add_argument("--sizes", help="values of --min-cluster-size for a sweep, separated by commas")
        parser.add_argument("--samples", help="values of --min-samples for a sweep, separated by commas")
        parser.add_argument(
            "--activate",
            choices=ACTIVATIONS,
            default="auto",
            help="whether to use the groups of this run (default: auto)",
        )
        parser.add_argument("--dry-run", action="store_true", help="only show the estimate")
        wait = parser.add_mutually_exclusive_group()
        wait.add_argument(
            "--wait", action="store_true", help="show progress and the groups (default in a terminal)"
        )
        wait.add_argument("--no-wait", action="store_true", help="exit once the run is queued")

    def handle(self, *args: Any, **options: Any) -> None:
        batch = self.batch(options["batch"])
        try:
            self.analyze(batch, options)
        except ApiError as error:
            raise CommandError(error.detail) from error

    def analyze(self, batch: Batch, options: dict[str, Any]) -> None:
        given = {name: options[name] for name in analysis.PARAMETERS if options.get(name) is not None}
        parameters = analysis.parse_parameters(given, fallback=analysis.stored_parameters(batch.parameters))
        self.show_estimate(analysis.estimate_analysis(batch, parameters=parameters, mode=options["mode"]))
        if options["dry_run"]:
            return
        run = analysis.submit_analysis(
            batch,
            parameters=parameters,
            mode=options["mode"],
            activate=options["activate"],
            source="command",
            sizes=self.listed(options["sizes"]),
            samples=self.listed(options["samples"]),
        )
        self.stdout.write(f"Run {run.number} is queued (job {run.job_id}).")
        if options["wait"] or (sys.stderr.isatty() and not options["no_wait"]):
            self.follow(run)

    def show_estimate(self, estimate: dict[str, Any]) -> None:
        seconds = estimate["seconds"]
        based_on = estimate["based_on"]
        basis = f"based on {based_on} measurements" if based_on else "nothing has been measured yet"
        self.stdout.write(
            f"{images(estimate['images'])}, {estimate['to_embed']} without a vector. "
            f"Estimate: {seconds['p50']:g} to {seconds['p90']:g} s ({basis})."
        )
        for note in estimate["notes"]:
            self.stdout.write(note)

    def follow(self, run: ClusterRun) -> None:
        """Show how far it is; Ctrl-C ends the watching, not the work."""
        assert run.job is not None
        try:
            with tqdm(total=100, unit="%", disable=None) as bar:
                while run.status in OPEN:
                    time.sleep(POLL_S)
                    sync_runs(run.batch_id)
                    run.refresh_from_db()
                    run.job.refresh_from_db()
                    add_running([run.job])
                    bar.update(run.job.percent - bar.n)
        except KeyboardInterrupt:
            self.stdout.write("The workers continue. Follow them on the page of the batch.")
            return
        if run.status != RunStatus.COMPLETED:
            raise CommandError(f"Run {run.number} {run.status}. {run.error_detail}".strip())
        self.show_run(run)

    def show_run(self, run: ClusterRun) -> None:
        for note in run.notes:
            self.stdout.write(note)
        if run.mode == ClusterRun.Mode.SWEEP:
            self.show_grid(run)
            return
        is_active = "active" if run.activated_at else "not active"
        self.stdout.write(
            f"{images(run.n_images)}, {groups(run.n_groups)}, {run.n_noise} unassigned. The run is {is_active}."
        )
        self.show_groups(run)

    def show_groups(self, run: ClusterRun) -> None:
        labels = dict(run.batch.groups.values_list("pk", "label"))
        ordered = sorted(run.groups, key=lambda group: -group["size"])
        for group in ordered[:GROUPS_SHOWN]:
            group_id = UUID(group["group"]) if group["group"] else None
            label = labels.get(group_id, "-") if group_id else "-"
            self.stdout.write(f"{label:>6}  {images(group['size']):>13}  cohesion {group['cohesion']:.3f}")
        if len(ordered) > GROUPS_SHOWN:
            self.stdout.write(f"… and {len(ordered) - GROUPS_SHOWN} more.")

    def show_grid(self, run: ClusterRun) -> None:
        self.stdout.write("  size  samples  groups  unassigned  validity")
        for cell in run.grid:
            samples = "-" if cell["min_samples"] is None else cell["min_samples"]
            validity = "-" if cell["validity"] is None else f"{cell['validity']:.3f}"
            self.stdout.write(
                f"{cell['min_cluster_size']:>6}  {samples:>7}  {cell['groups']:>6}  {cell['noise_share']:>10.1%}"
                f"  {validity:>8}"
            )

    @staticmethod
    def listed(text: str | None) -> list[str] | None:
        return None if text is None else [part.strip() for part in text.split(",")]

    @staticmethod
    def batch(name: str) -> Batch:
        batch = Batch.objects.present().filter(batch_name=name).order_by("-created_at").first()
        if batch is None:
            try:
                batch = Batch.objects.present().filter(pk=UUID(name)).first()
            except ValueError:
                batch = None
        if batch is None:
            raise CommandError(f"There is no batch {name!r}.")
        return batch
