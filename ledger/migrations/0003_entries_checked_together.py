"""That no entry survives the commit without its postings is checked once for all entries of a statement, not entry by entry.

A deferred trigger can only be one for each row: the statement's entries are noted as one row of a small table, whose deferred
trigger looks at all of them and takes the note away.
"""

from django.db import migrations

CHECK = """
DROP TRIGGER ledger_entry_has_postings ON ledger_journalentry;
DROP FUNCTION ledger_check_entry();

CREATE TABLE ledger_unchecked (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, entry_ids bigint[] NOT NULL);

CREATE FUNCTION ledger_note_entries() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO ledger_unchecked (entry_ids) SELECT array_agg(id) FROM brought HAVING count(*) > 0;
    RETURN NULL;
END $$;
CREATE TRIGGER ledger_entries_noted AFTER INSERT ON ledger_journalentry
    REFERENCING NEW TABLE AS brought FOR EACH STATEMENT EXECUTE FUNCTION ledger_note_entries();

CREATE FUNCTION ledger_check_entries() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE bare bigint;
BEGIN
    SELECT e.id INTO bare FROM unnest(NEW.entry_ids) AS e (id)
     WHERE NOT EXISTS (SELECT FROM ledger_posting p WHERE p.entry_id = e.id OFFSET 0) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'journal entry % has no postings', bare USING ERRCODE = 'check_violation';
    END IF;
    DELETE FROM ledger_unchecked WHERE id = NEW.id;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER ledger_entries_have_postings AFTER INSERT ON ledger_unchecked
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_check_entries();
"""

UNDO = """
DROP TABLE ledger_unchecked;
DROP TRIGGER ledger_entries_noted ON ledger_journalentry;
DROP FUNCTION ledger_check_entries();
DROP FUNCTION ledger_note_entries();
CREATE FUNCTION ledger_check_entry() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM ledger_posting WHERE entry_id = NEW.id) THEN
        RAISE EXCEPTION 'journal entry % has no postings', NEW.id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER ledger_entry_has_postings AFTER INSERT ON ledger_journalentry
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_check_entry();
"""


class Migration(migrations.Migration):
    dependencies = [("ledger", "0002_laws")]

    operations = [migrations.RunSQL(CHECK, UNDO)]
