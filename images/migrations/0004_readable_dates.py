"""Bring back rows whose date Python cannot read: cameras without a clock write the years 1 and 9999."""

from django.db import migrations

FORGET = """
UPDATE images_image SET captured_at = NULL, exif = exif - 'captured_at'
WHERE captured_at IS NOT NULL AND NOT (captured_at >= '0002-01-01 00:00:00+00' AND captured_at < '9999-01-01 00:00:00+00')
"""


class Migration(migrations.Migration):
    dependencies = [("images", "0003_help_texts")]

    operations = [migrations.RunSQL(FORGET, migrations.RunSQL.noop)]
