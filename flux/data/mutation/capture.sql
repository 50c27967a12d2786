-- How changes are captured: applied anew by flux/store/mutations/install.py whenever this text has changed.
--
-- Theory of operation. Each managed table has triggers that fire once per statement, after it, and see the changed rows
-- as transition tables; they call a function generated for that table, whose statements are static and so planned once
-- per session. What must hold:
--   * A mutation is written in the transaction of the change, so it exists if and only if the change does.
--   * Ids are in the order in which changes of a row took effect. A trigger of the team's that fires after each row may
--     change the row again before the statement's end; tables that have such a one, and tables that inherit (a
--     statement on the parent does not see the child's columns), are captured row by row instead. Names that begin with
--     "!" fire before everybody else's.
--   * The writer needs no right on schema flux (SECURITY DEFINER), and cannot claim to be somebody else (flux.attributed).
--   * Whatever the table's owner does to the table next, the team's writes go on. Where Flux may not create event
--     triggers it learns of an ALTER TABLE too late: there functions begin with a check of the table's columns
--     (`guarded`) and fall back to statements made on the spot.
-- Everything is written schema-qualified or under a search_path of pg_catalog alone.

DROP VIEW IF EXISTS flux.capture_pending, flux.capturable CASCADE;
DROP FUNCTION IF EXISTS flux.table_id, flux.keep_masked, flux.columns_captured, flux.capture_statement, flux.capture_statements_now,
    flux.capture_function, flux.manage, flux.unmanage, flux.note_ddl CASCADE;

-- Whom a change by another role than Flux's own is attributed to. `setting`: a MAC of flux.hmac in hexadecimal followed
-- by the JSON that it covers together with the session's process number and a time limit (identity.py), else worthless.
CREATE OR REPLACE FUNCTION flux.attributed(setting text) RETURNS flux.identity
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    who flux.identity;
    trusted bool := session_user = current_user AND current_setting('role') = 'none';
BEGIN
    IF trusted AND setting <> '' THEN
        who := json_populate_record(NULL::flux.identity, (CASE WHEN setting LIKE '{%' THEN setting ELSE substr(setting, 65) END)::json);
    ELSIF length(setting) > 64 AND left(setting, 64) = encode(flux.hmac(
        (SELECT key FROM flux.secret WHERE name = 'identity'),
        convert_to(substr(setting, 65) || pg_backend_pid(), 'UTF8')), 'hex')
    THEN
        who := json_populate_record(NULL::flux.identity, substr(setting, 65)::json);
        IF who.until IS NULL OR who.until < extract(epoch FROM clock_timestamp()) THEN
            who := NULL;
        END IF;
    END IF;
    IF who IS NULL THEN
        who.actor := CASE current_setting('role') WHEN 'none' THEN session_user ELSE current_setting('role') END;
    END IF;
    RETURN who;
END $$;
REVOKE ALL ON FUNCTION flux.attributed(text) FROM PUBLIC;
