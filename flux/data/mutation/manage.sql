-- Make the triggers of a table (given its root) what they should be. A table whose owner does not let Flux do it is left
-- alone, and says so in managed_tables.problem.
CREATE FUNCTION flux.manage(wanted oid) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    table_ flux.capturable;
    table_id int;
    member oid;
    event text;
    obstacle text;
BEGIN
    PERFORM pg_advisory_xact_lock(1718384758);
    PERFORM flux.keep_masked(wanted);
    SELECT * INTO table_ FROM flux.capturable c WHERE c.root = wanted;
    IF NOT FOUND THEN
        RETURN 'not there';
    END IF;
    table_id := flux.table_id(wanted, table_.schema, table_.name, table_.key);
    EXECUTE flux.capture_function(table_id, table_);
    EXECUTE format('REVOKE ALL ON FUNCTION flux.%I() FROM PUBLIC', 'mutation_' || table_id);
    IF table_.incomplete THEN
        BEGIN
            FOREACH member IN ARRAY table_.relations LOOP
                PERFORM flux.unmanage(member);
            END LOOP;
            FOREACH member IN ARRAY table_.relations LOOP
                FOREACH event IN ARRAY ARRAY['insert', 'update', 'delete'] LOOP
                    CONTINUE WHEN table_.by_row AND member <> wanted;
                    EXECUTE format('CREATE TRIGGER %I AFTER %s ON %s %s EXECUTE FUNCTION flux.%I()',
                        '!flux_mutation_' || event, event, member::regclass,
                        CASE WHEN table_.by_row THEN 'FOR EACH ROW' ELSE concat('REFERENCING',
                            CASE WHEN event <> 'insert' THEN ' OLD TABLE AS old_rows' END,
                            CASE WHEN event <> 'delete' THEN ' NEW TABLE AS new_rows' END,
                            ' FOR EACH STATEMENT') END,
                        'mutation_' || table_id);
                END LOOP;
                EXECUTE format('CREATE TRIGGER %I AFTER TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION flux.%I()',
                    '!flux_mutation_truncate', member::regclass, 'mutation_' || table_id);
            END LOOP;
        EXCEPTION WHEN insufficient_privilege OR lock_not_available OR object_in_use OR wrong_object_type THEN
            obstacle := SQLERRM;
        END;
    END IF;
    -- Without event triggers nobody else notes it.
    IF table_.guarded AND (SELECT m.structure <> '' AND m.structure <> table_.structure
                           FROM flux.managed_tables m WHERE m.id = table_id) THEN
        PERFORM flux.note_ddl(table_id, json_build_object('command', 'ALTER TABLE', 'type', 'table',
            'object', table_.schema || '.' || table_.name, 'noticed', 'afterwards'));
    END IF;
    UPDATE flux.managed_tables
    SET structure = table_.structure, fingerprint = table_.fingerprint, problem = obstacle WHERE id = table_id;
    RETURN obstacle;
END $$;
REVOKE ALL ON FUNCTION flux.manage(oid) FROM PUBLIC;

-- Take Flux's triggers off a table; clones on partitions go with their parent's.
CREATE FUNCTION flux.unmanage(relation oid) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    trigger_name name;
BEGIN
    FOR trigger_name IN SELECT tgname FROM pg_trigger
        WHERE tgrelid = relation AND tgname LIKE '!flux\_mutation\_%' AND tgparentid = 0
    LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', trigger_name, relation::regclass);
    END LOOP;
END $$;
