from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('batches', '0003_group_of_same_batch'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='groupingchange',
            name='grouping_change_kind_known',
        ),
        migrations.AlterField(
            model_name='groupingchange',
            name='kind',
            field=models.CharField(choices=[('add_images', 'Add Images'), ('upload', 'Upload'), ('remove_images', 'Remove Images'), ('apply_run', 'Apply Run'), ('set_groups', 'Set Groups'), ('create_group', 'Create Group'), ('edit_group', 'Edit Group'), ('confirm', 'Confirm'), ('delete_group', 'Delete Group'), ('move', 'Move'), ('merge', 'Merge'), ('split', 'Split'), ('accept_suggestions', 'Accept Suggestions'), ('decide', 'Decide'), ('lock', 'Lock'), ('resolve_duplicates', 'Resolve Duplicates'), ('stage', 'Stage'), ('undo', 'Undo'), ('redo', 'Redo')], max_length=32),
        ),
        migrations.AddConstraint(
            model_name='groupingchange',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ['add_images', 'upload', 'remove_images', 'apply_run', 'set_groups', 'create_group', 'edit_group', 'confirm', 'delete_group', 'move', 'merge', 'split', 'accept_suggestions', 'decide', 'lock', 'resolve_duplicates', 'stage', 'undo', 'redo'])), name='grouping_change_kind_known'),
        ),
    ]
