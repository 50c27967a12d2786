-- Day tables of the record and whether each hangs under the parent.
SELECT c.relname AS name, c.relispartition AS attached
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'flux' AND c.relkind = 'r' AND c.relname ~ '^(executions|errors)_\d{8}$'
