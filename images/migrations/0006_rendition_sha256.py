from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("images", "0005_captured_at_readable")]

    operations = [
        migrations.AddField(
            model_name="rendition",
            name="sha256",
            field=models.CharField(
                blank=True, default="", help_text="Empty for thumbnails of older versions.", max_length=64
            ),
            preserve_default=False,
        ),
    ]
