"""Sentences about operations, jobs and queues, for people."""

from typing import Any

from api.core.phrases import counted

NO_OPERATIONS = 'Choose at least one operation, for example operations=["webp"].'
NOT_AN_OPERATION = 'An operation is a name or {"name": …, "parameters": {…}}.'
NO_ORIGINAL = "The original file is missing or damaged. Upload the image again."
IMAGE_DELETED = "The image was deleted."
WAITING_FOR_WORKER = "Waiting for a free worker."
UNEXPECTED = "An unexpected error stopped this operation. The log of the worker has the details."
NOTHING_TO_CANCEL = "The job has already finished; there is nothing to cancel."
NOTHING_TO_RETRY = "There is nothing to retry."
PRIORITY_TOO_LATE = "The job has already finished; its priority cannot be changed."


def too_many_steps(count: int, limit: int) -> str:
    return f"{counted(count, 'operation')} in one list; the limit is {limit}."


def too_many_operations(count: int, limit: int) -> str:
    return f"{counted(count, 'operation')} requested; the limit for one job is {limit:,}."


def unknown_keys(unknown: list[str]) -> str:
    return f"Unknown field. An operation has the fields name and parameters, not {', '.join(unknown)}."


def submitted(count: int, cached: int) -> str:
    note = f", {cached:,} of them already in the result cache" if cached else ""
    return f"{counted(count, 'operation')} submitted{note}."


def image_not_ready(image_id: Any, status: str, to_be: str = "processed") -> str:
    return f"Image {image_id} is {status}; only images with the status ready can be {to_be}."


def results_removed(count: int, why: str) -> str:
    return f"{counted(count, 'result')} removed: {why}."


def files_missing(count: int, total: int, first: str) -> str:
    return f"{count:,} of {counted(total, 'result file')} missing, starting with {first}."


def paused(queue: str, reason: str) -> str:
    because = f": {reason.rstrip('.')}" if reason else ""
    return f"The queue “{queue}” is paused{because}."


def waiting_in(count: int) -> str:
    """Follows a sentence about a queue."""
    return f" {counted(count, 'operation')} waiting." if count else ""


def unserved(queue: str) -> str:
    return f"No worker is serving the queue “{queue}”. The job starts as soon as one does."


def job_state(status: str, *, done: int, completed: int, failed: int, total: int) -> str:
    """The line above a job's results."""
    match status:
        case "completed":
            return "Finished. All results are ready."
        case "completed_with_errors":
            return f"Finished with errors: {failed:,} of {counted(total, 'operation')} failed."
        case "failed":
            return "The job failed."
        case "cancelled":
            return f"Cancelled: {completed:,} of {counted(total, 'operation')} completed."
        case "queued":
            return "Waiting to start."
        case _:
            return f"{done:,} of {counted(total, 'operation')} done."
