"""The audit is append-only in the database itself, whoever connects to it."""

from django.db import migrations

# Row by row: TRUNCATE, which empties a test database, stays possible and needs the table's owner.
REFUSE = """
CREATE FUNCTION api_auditevent_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'The audit is append-only: % of event % refused.', TG_OP, OLD.id
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER api_auditevent_append_only BEFORE UPDATE OR DELETE ON api_auditevent
    FOR EACH ROW EXECUTE FUNCTION api_auditevent_refuse();
"""
ALLOW = """
DROP TRIGGER api_auditevent_append_only ON api_auditevent;
DROP FUNCTION api_auditevent_refuse();
"""


class Migration(migrations.Migration):
    dependencies = [("api", "0002_groups")]

    operations = [migrations.RunSQL(REFUSE, ALLOW)]
