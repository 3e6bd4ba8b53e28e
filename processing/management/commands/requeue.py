import uuid

from django.core.management.base import BaseCommand, CommandError, CommandParser

from api.errors import ErrorCode
from processing import jobs
from processing.models import Job, Operation
from processing.states import OperationStatus


class Command(BaseCommand):
    help = "Queue failed operations again: all of them, those of one job, or those of one error code."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--failed", action="store_true", help="All failed operations.")
        parser.add_argument("--job", help="Failed and cancelled operations of this job.")
        parser.add_argument("--error-code", help="Only those that failed with this code.")
        parser.add_argument("--dry-run", action="store_true", help="Say how many, change nothing.")

    def handle(
        self,
        *args: object,
        failed: bool,
        job: str | None,
        error_code: str | None,
        dry_run: bool,
        **options: object,
    ) -> None:
        if not (failed or job or error_code):
            raise CommandError("Say what to queue again: --failed, --job ID or --error-code CODE.")
        if error_code and error_code not in ErrorCode.values:
            raise CommandError(f"There is no error code {error_code!r}; GET /api/errors/ lists them.")
        if dry_run:
            self.stdout.write(f"{self._count(job, error_code)} operations would be queued again.")
        elif job:
            self.stdout.write(
                f"{jobs.retry_job(self._job(job), error_code=error_code)} operations queued again."
            )
        else:
            self.stdout.write(f"{jobs.retry_failed(error_code=error_code)} operations queued again.")

    def _count(self, job: str | None, error_code: str | None) -> int:
        statuses = [OperationStatus.FAILED, *([OperationStatus.CANCELLED] if job else [])]
        found = Operation.objects.filter(status__in=statuses)
        if job:
            found = found.filter(job=self._job(job))
        return found.filter(error_code=error_code).count() if error_code else found.count()

    def _job(self, text: str) -> Job:
        try:
            return Job.objects.get(pk=uuid.UUID(text))
        except (ValueError, Job.DoesNotExist) as error:
            raise CommandError(f"There is no job {text!r}.") from error
