"""The four groups whose names `api.permissions` gives scopes to."""

from django.db import migrations

GROUPS = ("viewer", "reviewer", "operator", "admin")


def make_groups(apps, _schema_editor):
    group = apps.get_model("auth", "Group")
    group.objects.bulk_create([group(name=name) for name in GROUPS], ignore_conflicts=True)


class Migration(migrations.Migration):
    dependencies = [("api", "0001_initial"), ("auth", "0012_alter_user_first_name_max_length")]

    operations = [migrations.RunPython(make_groups, migrations.RunPython.noop)]
