"""The policies as Postgres' own: roles, grants and row-level security, so that raw SQL cannot go around them.

Raw SQL runs on connections of its own, whose session user (the *login*) has no rights. A transaction on them begins
with `token.ENTER`, which sets the Postgres role that stands for the caller's role (a *principal*) and hands the
caller's facts over, signed. What raw SQL can do about that:

- `RESET ROLE` leads to the login, which may do nothing; `SET ROLE` to another principal, whose policies all ask for the
  verified role of the caller, which is still the old one: no rows.
- `flux.auth` can be overwritten, but not signed. A signature holds for one backend and one transaction.
- The owner of the tables, as which the engine's own statements run, is not a role that the login is a member of.

Row-level security is enabled, not forced: the owner's connections see all rows and are protected by the compiler.
"""
