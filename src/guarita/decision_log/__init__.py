"""The decision log: what was decided on every request and what each layer saw, for who has to
explain a Ray ID.

`entry` says what is recorded, `writing` takes it on the request path, `writer` writes it to the
SQLite `file`, `reading` finds entries, `explaining` puts one into words (`words` holds them).
Public names are repeated here.
"""

from guarita.decision_log.entry import Entry
from guarita.decision_log.explaining import Explanation, LayerLine, explain
from guarita.decision_log.file import LogUnavailable
from guarita.decision_log.reading import Loss, find, lost, recent
from guarita.decision_log.writing import DecisionLog, MemoryLog

__all__ = [
    "DecisionLog",
    "Entry",
    "Explanation",
    "LayerLine",
    "LogUnavailable",
    "Loss",
    "MemoryLog",
    "explain",
    "find",
    "lost",
    "recent",
]
