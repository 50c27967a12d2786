"""What `flux doctor` examines: `machine` (interpreter, libraries, kernel limits), `project` (settings, folders, ports,
Postgres, the running server). Each check is a function that returns one finding."""
