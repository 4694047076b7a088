-- What PostgreSQL alone spells this way: records that are never changed, and the
-- door to routes. Kept in step with 0001_initial.sqlite.sql.

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END $$;

DO $$
DECLARE kept text;
BEGIN
    FOREACH kept IN ARRAY ARRAY[
        'ledger', 'decisions', 'evaluations', 'promotions', 'external_metrics',
        'versions', 'plugin_revisions', 'gate_revisions', 'datasets'
    ] LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE ON %I
            FOR EACH ROW EXECUTE FUNCTION refuse_change()', kept || '_no_update', kept);
        EXECUTE format('CREATE TRIGGER %I BEFORE DELETE ON %I
            FOR EACH ROW EXECUTE FUNCTION refuse_change()', kept || '_no_delete', kept);
        EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON %I
            FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', kept || '_no_truncate', kept);
    END LOOP;
END $$;

-- A route changes only to the next generation, and only where a promotion of
-- that generation stands.
CREATE FUNCTION guard_route() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.generation <> 0 THEN
            RAISE EXCEPTION 'a new endpoint has no route';
        END IF;
    ELSIF NEW.name <> OLD.name OR NEW.route <> OLD.route OR NEW.generation <> OLD.generation THEN
        IF NEW.name <> OLD.name OR NEW.generation <> OLD.generation + 1 OR NOT EXISTS (
            SELECT 1 FROM promotions
            WHERE endpoint = NEW.name AND generation = NEW.generation AND status = 'promoted')
        THEN
            RAISE EXCEPTION 'a route changes only through a promotion';
        END IF;
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER endpoints_door_insert BEFORE INSERT ON endpoints
    FOR EACH ROW EXECUTE FUNCTION guard_route();
CREATE TRIGGER endpoints_door_update BEFORE UPDATE ON endpoints
    FOR EACH ROW EXECUTE FUNCTION guard_route();
