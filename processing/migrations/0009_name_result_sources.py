"""Tell what earlier results were made from, where the image is still known."""

from django.db import migrations

FILL = """
UPDATE processing_operationartifact l SET source_name = i.original_filename, source_sha256 = i.sha256
FROM processing_operation o JOIN images_image i ON i.id = o.image_id WHERE o.id = l.operation_id
"""


class Migration(migrations.Migration):
    dependencies = [("processing", "0008_result_sources"), ("images", "0003_help_texts")]

    operations = [migrations.RunSQL(FILL, migrations.RunSQL.noop)]
