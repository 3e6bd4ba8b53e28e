"""Uploads a picture and converts it, in a process that a test looks at from outside."""

import os

if __name__ == "__main__":  # spawned subprocesses import this file again
    from django.conf import settings

    settings.DATABASES["default"]["NAME"] = os.environ["PIX_TEST_DATABASE"]
    settings.MEASURE_ON_UPLOAD = []
    import django

    django.setup()
    from processing.engine import jobs
    from processing.engine.worker import run_until_idle
    from tests.factories import make_image

    image = make_image()
    jobs.submit_job(
        kind="operations",
        operations=[jobs.NewOperation("webp", {"quality": 80}, image_id=image.pk, cache_key="a")],
    )
    run_until_idle()
