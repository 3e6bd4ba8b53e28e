import uuid

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import ngettext

from api.core.errors import ErrorCode
from processing.engine import jobs
from processing.models import Job, Operation
from processing.states import OperationStatus


class Command(BaseCommand):
    help = "Retry failed operations: all, those of one job, or those with one error code."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--failed", action="store_true", help="all failed operations")
        parser.add_argument("--job", help="failed and cancelled operations of this job")
        parser.add_argument("--error-code", help="only operations that failed with this code")
        parser.add_argument("--dry-run", action="store_true", help="only count")

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
            raise CommandError("Choose what to retry: --failed, --job ID or --error-code CODE.")
        if error_code and error_code not in ErrorCode.values:
            raise CommandError(f"There is no error code {error_code!r}. GET /api/errors/ lists all codes.")
        if dry_run:
            statuses = [OperationStatus.FAILED, *([OperationStatus.CANCELLED] if job else [])]
            chosen = Operation.objects.filter(status__in=statuses)
            if job:
                chosen = chosen.filter(job=self._job(job))
            count = (chosen.filter(error_code=error_code) if error_code else chosen).count()
        elif job:
            count = jobs.retry_job(self._job(job), error_code=error_code)
        else:
            count = jobs.retry_failed(error_code=error_code)
        operations = ngettext("{} operation", "{} operations", count).format(count)
        self.stdout.write(f"{operations} {'would be queued' if dry_run else 'queued'} again.")

    def _job(self, text: str) -> Job:
        try:
            return Job.objects.get(pk=uuid.UUID(text))
        except (ValueError, Job.DoesNotExist) as error:
            raise CommandError(f"There is no job {text!r}.") from error
