"""Uploads go to a temporary file and are hashed while they arrive."""

import hashlib
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadedfile import TemporaryUploadedFile
from django.core.files.uploadhandler import FileUploadHandler, TemporaryFileUploadHandler

from api.core import phrases
from api.core.disk import ensure_free_space


class HashedUpload(TemporaryUploadedFile):
    """A received file. One over the limit is counted to its end, but no longer written."""

    sha256: str
    is_too_large: bool = False


class HashingUploadHandler(TemporaryFileUploadHandler):
    file: HashedUpload

    def handle_raw_input(
        self,
        input_data: Any,
        META: Mapping[str, Any],
        content_length: int,
        boundary: str,
        encoding: str | None = None,
    ) -> None:
        """Refuse at once a request that cannot be acceptable, however many files it holds."""
        limit = (
            settings.MAX_FILES_PER_REQUEST * settings.MAX_UPLOAD_BYTES + settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        )
        if content_length > limit:
            raise RequestDataTooBig(phrases.request_too_large(content_length, limit))
        ensure_free_space(content_length)  # also makes the folder for what arrives

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        FileUploadHandler.new_file(self, *args, **kwargs)  # the direct parent would make a file of its own
        self.file = HashedUpload(
            self.file_name or "", self.content_type, 0, self.charset, self.content_type_extra
        )
        self._digest = hashlib.sha256()
        self._written = 0

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        self._written += len(raw_data)
        if self._written > settings.MAX_UPLOAD_BYTES:
            self.file.is_too_large = True
            return
        self._digest.update(raw_data)
        self.file.write(raw_data)

    def file_complete(self, file_size: int) -> HashedUpload:
        self.file.seek(0)
        self.file.size = file_size
        self.file.sha256 = self._digest.hexdigest()
        return self.file
