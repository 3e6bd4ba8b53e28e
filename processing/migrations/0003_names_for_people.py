from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("processing", "0002_queues")]

    operations = [
        migrations.AlterModelOptions(
            name="operationartifact",
            options={"ordering": ["operation_id", "role"], "verbose_name": "result"},
        ),
        migrations.AlterModelOptions(
            name="workerheartbeat",
            options={"ordering": ["host", "pid"], "verbose_name": "worker"},
        ),
    ]
