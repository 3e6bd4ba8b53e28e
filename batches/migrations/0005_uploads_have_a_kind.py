from django.db import migrations


def mark_uploads(apps, schema_editor):
    changes = apps.get_model("batches", "GroupingChange").objects
    changes.filter(kind="add_images", summary__startswith="uploaded ").update(kind="upload")


def unmark_uploads(apps, schema_editor):
    apps.get_model("batches", "GroupingChange").objects.filter(kind="upload").update(kind="add_images")


class Migration(migrations.Migration):
    dependencies = [("batches", "0004_kind_upload")]

    operations = [migrations.RunPython(mark_uploads, unmark_uploads)]
