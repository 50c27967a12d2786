"""Policies: who may do what with which columns and rows of a table.

| file | what |
|---|---|
| `model` | what a policy is, as values |
| `tokens`, `rules`, `operands` | a condition's text -> `Condition`, checked against the schema |
| `printed` | a `Condition` -> its text |
| `presets`, `document` | a document (TOML file, or JSON of the API) -> `TablePolicy` |
| `assemble` | all documents and the schema -> `Policies` |
| `files` | the project's folder `policies/` |
| `explain` | what a role may do, in words |
| `raw_sql` | which functions may use `ctx.db.sql` |
| `rls` | the same policies for Postgres itself: roles, grants, row-level security |
"""
