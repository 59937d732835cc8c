"""Stores: who answers the asks about counters and reservations. One atomic operation per ask.

`memory` is the reference and lives in one process; `sqlite` is durable and shared by the processes
of one machine; `group_commit` puts a SQLite store behind an event loop.
"""
