-- The table that an active policy is for, whatever it is called by now: a policy stays with its table when that is renamed
-- (flux/store/renamed_policies.py). As regclass, so that a dump names it.
ALTER TABLE flux.policies ADD COLUMN relation regclass;
UPDATE flux.policies SET relation = to_regclass(quote_ident(table_name)) WHERE active;
