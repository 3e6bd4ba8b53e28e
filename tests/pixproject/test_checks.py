"""Settings that contradict each other are told before anything starts."""

import pytest

from pixproject.checks import check_settings


def ids() -> list[str]:
    return [message.id for message in check_settings(None)]


def test_the_defaults_are_fine():
    assert ids() == []


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"STORAGE_BACKEND": "ftp"}, ["pix.E001"]),
        ({"STORAGE_BACKEND": "s3"}, ["pix.E002"]),
        ({"AWS_S3_BUCKET": "b"}, ["pix.W001"]),
        ({"STORAGE_BACKEND": "s3", "AWS_S3_BUCKET": "b"}, []),
        ({"UPLOAD_DIR": ""}, ["pix.E003"]),
        ({"UPLOAD_DIR": "a/../../b"}, ["pix.E003"]),
        ({"UPLOAD_DIR": "files", "PROCESSED_DIR": "files/results"}, ["pix.E004"]),
        ({"LEASE_SECONDS": 4}, ["pix.E010"]),
        ({"JOB_MAX_ATTEMPTS": 0}, ["pix.E020"]),
        ({"TRASH_DAYS": -1}, ["pix.E020"]),
        ({"TRASH_DAYS": 0}, []),
        ({"ALLOWED_EXTENSIONS": ["jpg", "svg"]}, ["pix.E021"]),
        ({"ALLOWED_EXTENSIONS": []}, ["pix.E021"]),
        ({"DEFAULT_THUMBNAIL_SIZES": [0]}, ["pix.E022"]),
        ({"RABBITMQ_URL": "amqp://x"}, ["pix.W010"]),
        ({"DATABASE_URL": "sqlite:///x"}, ["pix.E030"]),
        ({"REDIS_URL": "http://x"}, ["pix.E031"]),
        ({"API_RATE_KEY": "many"}, ["pix.E032"]),
        ({"API_RATE_ANON": "10/hour"}, []),
        ({"LOG_FORMAT": "xml"}, ["pix.E033"]),
        ({"TRUSTED_PROXIES": ["10.0.3.0/24", "nginx"]}, ["pix.E034"]),
        ({"HOST": "0.0.0.0", "ALLOWED_HOSTS": ["localhost"]}, ["pix.W040"]),
        ({"HOST": "0.0.0.0", "ALLOWED_HOSTS": ["pix.example.org"]}, []),
        ({"HOST": "0.0.0.0", "ALLOWED_HOSTS": ["pix.example.org"], "DEBUG": True}, ["pix.E040"]),
    ],
)
def test_contradictions(settings, values, expected):
    for name, value in values.items():
        setattr(settings, name, value)

    assert ids() == expected
