"""`Prefer: wait=N` (RFC 7240): an answer that waits until its job is finished."""

import re
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.core.requests import StrictSerializer
from pixproject.web.base import parking
from processing.models import Job
from processing.serializers import job_json
from processing.services import finished_jobs, wait_until_finished

MAX_WAIT_S = 30
RETRY_AFTER_S = 2
JOB_FIELDS = {"id", "operations", "finished_at"}  # by which the answer of a view is known as a job
_WAIT = re.compile(r"\bwait\s*=\s*(\d{1,9})\b")


def wait_field(help_text: str) -> serializers.IntegerField:
    return serializers.IntegerField(min_value=0, max_value=MAX_WAIT_S, required=False, help_text=help_text)


class WaitSerializer(StrictSerializer):
    wait = wait_field(f"Seconds to wait for the job to finish, at most {MAX_WAIT_S}.")


def preferred_wait_s(request: Request) -> int | None:
    """The seconds that the caller would wait (header `Prefer`, or `?wait=` on a GET), at most 30."""
    if match := _WAIT.search(request.headers.get("Prefer", "")):
        return min(int(match.group(1)), MAX_WAIT_S)
    if request.method != "GET" or "wait" not in request.query_params:
        return None
    return int(WaitSerializer.check({"wait": request.query_params["wait"]}, request)["wait"])


def accepted(job: Job) -> Response:
    """202 with the job's JSON, where to ask again and when."""
    headers = {"Location": f"/api/jobs/{job.pk}/", "Retry-After": str(RETRY_AFTER_S)}
    return Response(job_json(job), status=202, headers=headers)


class WaitsForJob:
    """A view whose answer is a job's JSON and may wait until that job is finished.

    The waiting happens after the view, outside the transaction that an idempotency key needs: inside it the
    job would not be committed yet and no worker could begin.
    """

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)  # type: ignore[misc]
        preferred_wait_s(request)  # a wrong value is refused before anything is done

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        response = super().finalize_response(request, response, *args, **kwargs)  # type: ignore[misc]
        is_job = isinstance(getattr(response, "data", None), dict) and set(response.data) >= JOB_FIELDS
        if not is_job or response.status_code not in (200, 202) or "Idempotent-Replayed" in response:
            return response
        seconds = preferred_wait_s(request)
        if seconds is not None:
            if not self._wait(request, response.data["id"], seconds):
                seconds = 0
            response.data = job_json(Job.objects.get(pk=response.data["id"]))
            response["Preference-Applied"] = f"wait={seconds}"
        if response.data["finished_at"] is not None and "Retry-After" in response:
            del response["Retry-After"]
        return response

    @staticmethod
    def _wait(request: Request, job_id: str, seconds: int) -> bool:
        """Wait for the job, if possible without holding a thread; False if it was not possible to wait."""
        if parking.was_parked(request.META):
            return True
        if seconds and not finished_jobs([job_id]):
            wish = parking.Wish(job_id, finished_jobs, seconds)
            if parking.park(request.META, wish):
                return True  # this answer is thrown away
        return wait_until_finished(job_id, seconds).is_granted
