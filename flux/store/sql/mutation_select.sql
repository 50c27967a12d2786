-- Mutations with the names of their tables; to be followed by WHERE.
SELECT m.at, m.id, m.row, m.request_id, m.transaction::text AS transaction, m.table_id, m.span, m.operation, m.key, m.function,
    m.code_version, m.actor, m.tenant, m.changed, m.old, m.new, t.schema, t.name, t.key AS key_columns
FROM flux.mutations m LEFT JOIN flux.managed_tables t ON t.id = m.table_id
