"""The health checks over REST."""

from typing import Any

from drf_spectacular.utils import OpenApiResponse, OpenApiTypes, extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from api.core.errors import ApiError, ErrorCode
from pixproject import health

NEVER_STORED = {"Cache-Control": "no-store"}
WORD = OpenApiResponse(OpenApiTypes.OBJECT, 'The status only: `{"status": "ok"}`.')


class HealthView(APIView):
    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Without the database nobody can be recognised: say that much before authentication."""
        if health.examine(("database",)).status != health.OK:
            detail = "The database is not available, so nobody can sign in and nothing can be submitted."
            raise ApiError(ErrorCode.UNAVAILABLE, detail, headers={"Retry-After": "5"})
        super().initial(request, *args, **kwargs)

    @extend_schema(responses={200: OpenApiTypes.OBJECT, 503: OpenApiTypes.OBJECT}, operation_id="health")
    def get(self, request: Request) -> Response:
        """Each part with its state and milliseconds; 503 when database, Redis, storage or disk fail."""
        report = health.examine()
        return Response(health.as_json(report), status=report.http_status, headers=NEVER_STORED)


class OpenView(APIView):
    """A check that anybody may ask, without credentials, limits or details."""

    authentication_classes: Any = ()
    permission_classes = (AllowAny,)
    throttle_classes: Any = ()


class LiveView(OpenView):
    @extend_schema(responses=WORD, operation_id="health_live")
    def get(self, request: Request) -> Response:
        """This process answers."""
        return Response({"status": health.OK}, headers=NEVER_STORED)


class ReadyView(OpenView):
    @extend_schema(responses={200: WORD, 503: WORD}, operation_id="health_ready")
    def get(self, request: Request) -> Response:
        """This process can take requests: the database and the storage answer."""
        is_ready = health.is_ready()
        word = health.OK if is_ready else health.FAILED
        return Response({"status": word}, status=200 if is_ready else 503, headers=NEVER_STORED)
