"""Postgres' wire protocol, as far as many small statements on few connections need it. Read `session` first.

messages    bytes to and from the server, without I/O
text        Python values as parameters
session     one connection, statements one behind the other without waiting
lanes       a few sessions and who gets which
"""
