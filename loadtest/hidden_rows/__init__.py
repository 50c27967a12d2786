"""How well the time of a query tells that a row exists which the caller may not see."""
