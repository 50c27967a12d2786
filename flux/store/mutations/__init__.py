"""The mutation record in Postgres: its triggers (`install`), its partitions (`weeks`), its readers (`state` ...)."""
