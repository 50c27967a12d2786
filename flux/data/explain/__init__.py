"""What `flux explain` finds in a query and its plan. Pure.

`access`: which columns a query (and the policies it obeys) finds rows by; `nodes`: Postgres' plan as values; `missing`:
indexes that would serve, from the two; `described`: parameters and policies for people; `recorded`: the query of a
recorded host call. The questions to Postgres are `flux.store.explain`'s.
"""
