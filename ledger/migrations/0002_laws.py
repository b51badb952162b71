"""The ledger's laws, held by the database: balanced, whole, immutable.

- A statement that inserts postings must bring each of its entries whole: as many legs as the entry says, Σ = 0 in base
  currency, Σ = 0 in its own currency where it has only one, accounts of the same company.
- An entry without its postings does not survive the commit.
- Nothing is updated, deleted or truncated.
"""

from django.db import migrations

from salessync.core import immutable

CHECK = """
CREATE FUNCTION ledger_check_postings() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE bad record;
BEGIN
    SELECT p.entry_id, e.legs, count(*) AS legs_found, sum(p.base_amount) AS base, sum(p.amount) AS amount,
           count(a.id) AS accounts
      INTO bad
      FROM brought p
      LEFT JOIN ledger_journalentry e ON e.id = p.entry_id AND e.company_id = p.company_id
                                     AND e.transaction_id = p.transaction_id
      LEFT JOIN ledger_account a ON a.id = p.account_id AND a.company_id = p.company_id
     GROUP BY p.entry_id, e.legs
    HAVING e.legs IS NULL OR count(*) <> e.legs OR sum(p.base_amount) <> 0 OR count(a.id) <> count(*)
        OR (min(p.currency) = max(p.currency) AND sum(p.amount) <> 0)
     LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'journal entry % does not hold: % of % legs, % accounts, sum % in its currency and % in base currency',
            bad.entry_id, bad.legs_found, bad.legs, bad.accounts, bad.amount, bad.base USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER ledger_posting_holds AFTER INSERT ON ledger_posting
    REFERENCING NEW TABLE AS brought FOR EACH STATEMENT EXECUTE FUNCTION ledger_check_postings();

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

UNDO = """
DROP TRIGGER ledger_posting_holds ON ledger_posting;
DROP FUNCTION ledger_check_postings();
DROP TRIGGER ledger_entry_has_postings ON ledger_journalentry;
DROP FUNCTION ledger_check_entry();
"""


class Migration(migrations.Migration):
    dependencies = [("ledger", "0001_initial"), ("core", "0002_append_only")]

    operations = [
        migrations.RunSQL(CHECK, UNDO),
        immutable.append_only("ledger_journalentry"),
        immutable.append_only("ledger_posting"),
    ]
