-- One mutation for something that was done to a table's definition; `what` in the column `new`.
CREATE FUNCTION flux.note_ddl(table_id int, what json) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    who flux.identity := flux.attributed(current_setting('flux.identity', true));
BEGIN
    INSERT INTO flux.mutations (at, id, request_id, transaction, table_id, span, operation, function, code_version,
        actor, tenant, new)
    VALUES (clock_timestamp(), nextval('flux.mutation_ids'), who.request_id, pg_current_xact_id(), coalesce(table_id, 0),
        who.span, 'ddl', who.function, who.version, who.actor, who.tenant, what);
END $$;

-- Event triggers (made by a superuser, if there is one): note DDL in the managed schemas, then manage what is new.
CREATE OR REPLACE FUNCTION flux.on_ddl() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    command record;
    relevant bool := false;
BEGIN
    -- Rights are not noted, and Flux sets those of raw SQL for every table.
    IF TG_TAG IN ('GRANT', 'REVOKE') THEN
        RETURN;
    END IF;
    FOR command IN
        SELECT c.command_tag AS tag, c.object_type, min(c.object_identity) AS identity,
            coalesce(i.indrelid, t.tgrelid, p.polrelid, c.objid) AS relation
        FROM pg_event_trigger_ddl_commands() WITH ORDINALITY AS c (classid, objid, objsubid, command_tag, object_type,
            schema_name, object_identity, in_extension, command, place)
        CROSS JOIN flux.capture
        LEFT JOIN pg_index i ON c.object_type = 'index' AND i.indexrelid = c.objid
        LEFT JOIN pg_trigger t ON c.object_type = 'trigger' AND t.oid = c.objid
        LEFT JOIN pg_policy p ON c.object_type = 'policy' AND p.oid = c.objid
        LEFT JOIN pg_class class ON class.oid = coalesce(i.indrelid, t.tgrelid, p.polrelid)
        WHERE NOT c.in_extension
          AND coalesce(c.schema_name, class.relnamespace::regnamespace::text) = ANY (capture.schemas)
          AND coalesce(c.schema_name, '') <> 'flux'
          AND (t.tgname IS NULL OR t.tgname NOT LIKE '!flux\_mutation\_%')
          -- What follows from policies, which have versions of their own.
          AND (t.tgname IS NULL OR t.tgname <> '~flux_check')
          AND (p.polname IS NULL OR p.polname NOT LIKE 'flux\_%')
          AND c.object_type <> 'sequence'
        GROUP BY c.command_tag, c.object_type, relation
        ORDER BY min(c.place)
    LOOP
        relevant := true;
        PERFORM flux.note_ddl(
            (SELECT flux.table_id(r.root, r.schema, r.name, r.key) FROM flux.capturable r
             WHERE command.relation = ANY (r.relations)),
            json_build_object('command', command.tag, 'type', command.object_type, 'object', command.identity,
                'statement', left(current_query(), 65536)));
    END LOOP;
    IF relevant THEN
        PERFORM flux.manage(p.root) FROM flux.capture_pending p;
    END IF;
END $$;

CREATE OR REPLACE FUNCTION flux.on_drop() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    dropped record;
BEGIN
    FOR dropped IN
        SELECT d.object_type, d.object_identity, m.id
        FROM pg_event_trigger_dropped_objects() d
        CROSS JOIN flux.capture
        LEFT JOIN flux.managed_tables m ON d.object_type = 'table' AND m.relation = d.objid AND m.dropped_at IS NULL
        WHERE d.original AND NOT d.is_temporary AND TG_TAG LIKE 'DROP %' AND d.schema_name = ANY (capture.schemas)
          AND d.object_identity NOT LIKE '"!flux\_mutation\_%' AND d.object_identity NOT LIKE '"~flux\_check"%'
          AND NOT (d.object_type = 'policy' AND d.object_identity LIKE 'flux\_%')
           OR m.id IS NOT NULL
    LOOP
        UPDATE flux.managed_tables SET dropped_at = clock_timestamp() WHERE id = dropped.id;
        PERFORM flux.note_ddl(dropped.id, json_build_object('command', TG_TAG, 'type', dropped.object_type,
            'object', dropped.object_identity, 'statement', left(current_query(), 65536)));
    END LOOP;
END $$;
