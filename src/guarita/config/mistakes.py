"""What is wrong with a configuration: every mistake with its line, told together."""

from collections.abc import Collection
from difflib import get_close_matches
from pathlib import Path

from msgspec import Struct

from guarita.config.lines import Lines
from guarita.config.lines import Path as Place


class Mistake(Struct, frozen=True, order=True):
    """One mistake: the line it stands on (0: the file as a whole), and what would be right."""

    line: int
    text: str


class ConfigError(Exception):
    """A configuration that cannot be used; prints as one line "file:line: text" per mistake."""

    def __init__(self, file: Path, mistakes: Collection[Mistake]) -> None:
        self.file = file
        self.mistakes = tuple(sorted(set(mistakes)))
        super().__init__("\n".join(f"{self._where(one)}: {one.text}" for one in self.mistakes))

    def _where(self, mistake: Mistake) -> str:
        return f"{self.file}:{mistake.line}" if mistake.line else str(self.file)


class Unreadable(Exception):
    """The configuration file itself cannot be read."""


class Mistakes:
    """Collects mistakes, and warnings about settings that are dangerous by name."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self.found: list[Mistake] = []
        self.dangers: list[Mistake] = []
        self._wrong: set[Place] = set()

    def wrong(self, place: Place, text: str) -> None:
        """A value that is missing or cannot be what it should be: what follows from that for its
        place is not told as well.
        """
        self._wrong.add(place)
        self.found.append(Mistake(self._lines.of(place), text))

    def add(self, place: Place, text: str) -> None:
        if place not in self._wrong:
            self.found.append(Mistake(self._lines.of(place), text))

    def add_of_whole(self, text: str) -> None:
        """A mistake that stands on no line of the file."""
        self.found.append(Mistake(0, text))

    def is_wrong(self, place: Place) -> bool:
        """Whether `wrong` was said of a place or of something in it."""
        return any(one[: len(place)] == place for one in self._wrong)

    def is_given(self, place: Place) -> bool:
        """Whether the file holds the setting itself."""
        return self._lines.knows(place)

    def danger(self, place: Place, text: str) -> None:
        self.dangers.append(Mistake(self._lines.of(place), text))

    def line(self, place: Place) -> int:
        return self._lines.of(place)


def nearest(word: str, known: Collection[str]) -> str:
    """ "; did you mean …?" or, where nothing is near, what there is."""
    close = meant(word, known)
    if close:
        return close
    return f"; known: {', '.join(sorted(known))}" if known else ""


def meant(word: str, known: Collection[str]) -> str:
    """ "; did you mean …?", "" where nothing is near."""
    close = get_close_matches(word, sorted(known), n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""


def table_name(place: Place, *, listed: bool = False) -> str:
    """A table as the file writes it: [site.upstream], [[profile.orders.route]]; "the file" for the
    top. `listed`: the place is that of a list of tables, as is one that ends in a number.
    """
    name = ".".join(part for part in place if isinstance(part, str))
    if not name:
        return "the file"
    return f"[[{name}]]" if listed or isinstance(place[-1], int) else f"[{name}]"
