-- How much has been written into the catalogues of which introspect.sql reads: another value after any DDL.
--
-- Postgres counts that anyway, in shared memory: no catalogue is read. A session reports its own counts when it becomes
-- idle, at most once a second. DDL that was rolled back, and temporary tables, count as well: then nothing has changed.
SELECT sum(
    pg_catalog.pg_stat_get_tuples_inserted(catalogue)
    + pg_catalog.pg_stat_get_tuples_updated(catalogue)
    + pg_catalog.pg_stat_get_tuples_deleted(catalogue)
)::int8
FROM unnest(ARRAY[
    'pg_catalog.pg_class', 'pg_catalog.pg_attribute', 'pg_catalog.pg_attrdef', 'pg_catalog.pg_constraint',
    'pg_catalog.pg_index', 'pg_catalog.pg_inherits', 'pg_catalog.pg_type', 'pg_catalog.pg_enum', 'pg_catalog.pg_proc',
    'pg_catalog.pg_description', 'pg_catalog.pg_namespace', 'pg_catalog.pg_trigger'
]::regclass[]) AS catalogue
