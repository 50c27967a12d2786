-- What a policy wants of a row, asked when Postgres has made the row ready and not yet looked at its keys, whose errors
-- would tell of rows that the writer may not see. Triggers named "~flux_check" (flux/store/row_checks.py) call it, last of
-- those that fire before a row is written.
--
-- The statement hands the question over in `flux.check` (flux/data/compiler/late.py). It counts for that statement alone and
-- for the rows that it writes itself. It is asked with the rights of the session's own user only: whoever else could set it
-- would have a function of another user's ask something of his own.
CREATE FUNCTION flux.check_row() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    wanted json := current_setting('flux.check')::json;
BEGIN
    IF pg_trigger_depth() = 1
        AND session_user = current_user AND current_setting('role') = 'none'
        AND wanted ->> 'at' = statement_timestamp()::text
        AND (wanted ->> 'table')::oid = coalesce(pg_partition_root(TG_RELID), TG_RELID)
        AND wanted ->> TG_OP IS NOT NULL
    THEN
        EXECUTE wanted ->> TG_OP USING NEW, ARRAY(SELECT json_array_elements_text(wanted -> 'values'));
    END IF;
    RETURN NEW;
END $$;
REVOKE ALL ON FUNCTION flux.check_row() FROM PUBLIC;
