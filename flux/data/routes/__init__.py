"""Data routes: a table over HTTP without a function (docs/DATA_ROUTES.md). Pure.

Theory of operation. `[[routes]]` of flux.toml (`declared`) become entries of the manifest like functions
(`specs`), so that the gateway serves them and executions record them. A worker runs one without an isolate: `request`
makes of the HTTP request one `db.query`, with the texts of its URL beside it; `resolve` gives these the types of their
columns where the schema is known; `response` makes of the answer status, headers and body.

What must never happen: a caller reaches a table, a column or an operation that the route does not name. So the table is
the route's whatever the request says, the operation is checked against the route's (`request`), and `engine` compiles
with policies narrowed to the route's columns, for a query that names no table without a policy.
"""
