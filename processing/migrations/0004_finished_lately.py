import django.contrib.postgres.indexes
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("processing", "0003_names_for_people")]

    operations = [
        migrations.AddIndex(
            model_name="operation",
            index=django.contrib.postgres.indexes.BrinIndex(
                autosummarize=True, fields=["finished_at"], name="operation_finished"
            ),
        ),
    ]
