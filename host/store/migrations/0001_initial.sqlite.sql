-- What SQLite alone spells this way: records that are never changed, and the
-- door to routes. Kept in step with 0001_initial.postgres.sql.

CREATE TRIGGER ledger_no_update BEFORE UPDATE ON ledger
BEGIN SELECT RAISE(ABORT, 'ledger is append-only'); END;
CREATE TRIGGER ledger_no_delete BEFORE DELETE ON ledger
BEGIN SELECT RAISE(ABORT, 'ledger is append-only'); END;

CREATE TRIGGER decisions_no_update BEFORE UPDATE ON decisions
BEGIN SELECT RAISE(ABORT, 'decisions is append-only'); END;
CREATE TRIGGER decisions_no_delete BEFORE DELETE ON decisions
BEGIN SELECT RAISE(ABORT, 'decisions is append-only'); END;

CREATE TRIGGER evaluations_no_update BEFORE UPDATE ON evaluations
BEGIN SELECT RAISE(ABORT, 'evaluations is append-only'); END;
CREATE TRIGGER evaluations_no_delete BEFORE DELETE ON evaluations
BEGIN SELECT RAISE(ABORT, 'evaluations is append-only'); END;

CREATE TRIGGER promotions_no_update BEFORE UPDATE ON promotions
BEGIN SELECT RAISE(ABORT, 'promotions is append-only'); END;
CREATE TRIGGER promotions_no_delete BEFORE DELETE ON promotions
BEGIN SELECT RAISE(ABORT, 'promotions is append-only'); END;

CREATE TRIGGER external_metrics_no_update BEFORE UPDATE ON external_metrics
BEGIN SELECT RAISE(ABORT, 'external_metrics is append-only'); END;
CREATE TRIGGER external_metrics_no_delete BEFORE DELETE ON external_metrics
BEGIN SELECT RAISE(ABORT, 'external_metrics is append-only'); END;

CREATE TRIGGER versions_no_update BEFORE UPDATE ON versions
BEGIN SELECT RAISE(ABORT, 'versions is append-only'); END;
CREATE TRIGGER versions_no_delete BEFORE DELETE ON versions
BEGIN SELECT RAISE(ABORT, 'versions is append-only'); END;

CREATE TRIGGER plugin_revisions_no_update BEFORE UPDATE ON plugin_revisions
BEGIN SELECT RAISE(ABORT, 'plugin_revisions is append-only'); END;
CREATE TRIGGER plugin_revisions_no_delete BEFORE DELETE ON plugin_revisions
BEGIN SELECT RAISE(ABORT, 'plugin_revisions is append-only'); END;

CREATE TRIGGER gate_revisions_no_update BEFORE UPDATE ON gate_revisions
BEGIN SELECT RAISE(ABORT, 'gate_revisions is append-only'); END;
CREATE TRIGGER gate_revisions_no_delete BEFORE DELETE ON gate_revisions
BEGIN SELECT RAISE(ABORT, 'gate_revisions is append-only'); END;

CREATE TRIGGER datasets_no_update BEFORE UPDATE ON datasets
BEGIN SELECT RAISE(ABORT, 'datasets is append-only'); END;
CREATE TRIGGER datasets_no_delete BEFORE DELETE ON datasets
BEGIN SELECT RAISE(ABORT, 'datasets is append-only'); END;

-- INSERT OR REPLACE removes the old row without a delete trigger.
CREATE TRIGGER ledger_no_replace BEFORE INSERT ON ledger
WHEN EXISTS (SELECT 1 FROM ledger WHERE seq = NEW.seq OR hash = NEW.hash)
BEGIN SELECT RAISE(ABORT, 'ledger is append-only'); END;

-- A route changes only to the next generation, and only where a promotion of
-- that generation stands.
CREATE TRIGGER endpoints_door_insert BEFORE INSERT ON endpoints
WHEN NEW.generation <> 0
BEGIN SELECT RAISE(ABORT, 'a new endpoint has no route'); END;

CREATE TRIGGER endpoints_door_update BEFORE UPDATE OF name, route, generation ON endpoints
WHEN NEW.name <> OLD.name OR NEW.route <> OLD.route OR NEW.generation <> OLD.generation
BEGIN
    SELECT RAISE(ABORT, 'a route changes only through a promotion')
    WHERE NEW.name <> OLD.name
       OR NEW.generation <> OLD.generation + 1
       OR NOT EXISTS (
            SELECT 1 FROM promotions
            WHERE endpoint = NEW.name AND generation = NEW.generation AND status = 'promoted');
END;
