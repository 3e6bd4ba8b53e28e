from django.db import migrations


class Migration(migrations.Migration):
    """An image's group is of the image's own batch: the database sees to it, whatever writes."""

    dependencies = [("batches", "0002_grouping")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE batches_batchimage ADD CONSTRAINT batch_image_group_of_batch "
            "FOREIGN KEY (batch_id, group_id) REFERENCES batches_group (batch_id, id) DEFERRABLE INITIALLY DEFERRED",
            "ALTER TABLE batches_batchimage DROP CONSTRAINT batch_image_group_of_batch",
        )
    ]
