"""What the gate costs, measured. `make bench` runs all of it; `python -m benchmarks --help` says
how to run parts.

Standard library and Guarita's own development requirements only. Nothing here is asserted by a
test, and nothing judges a number; but a run in which a single answer is wrong ends with an error
instead of a table.
"""
