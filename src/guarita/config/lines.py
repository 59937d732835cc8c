"""On which line of a TOML text each table, key and array item stands. `tomllib` gives values only,
so the text is walked over once more; what is TOML and what is not stays `tomllib`'s decision.
"""

import re
import tomllib
from bisect import bisect_right

Path = tuple[str | int, ...]
"""Where a value stands: ("site", 0, "upstream", "url")."""

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"""(?:"{0,2})'
    r"|'''.*?'''(?:'{0,2})"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_BARE_VALUE = re.compile(r"[^,\]}#\n]*")
_BETWEEN_KEYS = re.compile(r"[ \t]*(\.?)[ \t]*")


class Lines:
    """The lines of a text that `tomllib` has accepted; counted from 1."""

    def __init__(self, text: str) -> None:
        self._text = text.replace("\r\n", "\n")
        self._starts = [0, *(found.end() for found in re.finditer("\n", self._text))]
        self._at = 0
        self._found: dict[Path, int] = {}
        self._items: dict[Path, int] = {}  # array of tables → how many it has so far
        self._document()

    def of(self, path: Path) -> int:
        """The line of a value's key, or that of the nearest table around it."""
        while path not in self._found and path:
            path = path[:-1]
        return self._found.get(path, 1)

    def knows(self, path: Path) -> bool:
        """Whether the value itself was found."""
        return path in self._found

    # --- walking ----------------------------------------------------------------------------------

    def _document(self) -> None:
        table: Path = ()
        while self._skip_blank():
            if self._text.startswith("[[", self._at):
                self._at += 2
                table = self._header(array=True)
            elif self._text.startswith("[", self._at):
                self._at += 1
                table = self._header(array=False)
            else:
                self._member(table)

    def _header(self, *, array: bool) -> Path:
        line = self._line()
        self._skip_blank()
        keys = self._keys()
        path: Path = ()
        for number, key in enumerate(keys):
            path += (key,)
            last = number == len(keys) - 1
            if last and array:
                index = self._items.get(path, 0)
                self._items[path] = index + 1
                self._found.setdefault(path, line)
                path += (index,)
            elif path in self._items:
                path += (self._items[path] - 1,)
            self._found.setdefault(path, line)
        self._found[path] = line  # its own header rather than that of a table below it
        self._skip_blank()
        self._at += 2 if array else 1
        return path

    def _member(self, table: Path) -> None:
        line = self._line()
        path = table
        for key in self._keys():
            path += (key,)
            self._found.setdefault(path, line)
        self._at = self._text.index("=", self._at) + 1
        self._skip_blank()
        self._value(path)

    def _value(self, path: Path) -> None:
        text = self._text
        string = _STRING.match(text, self._at)
        if string:
            self._at = string.end()
        elif text[self._at] == "[":
            self._at += 1
            index = 0
            while self._skip_blank() and text[self._at] != "]":
                self._found[(*path, index)] = self._line()
                self._value((*path, index))
                self._skip_comma()
                index += 1
            self._at += 1
        elif text[self._at] == "{":
            self._at += 1
            while self._skip_blank() and text[self._at] != "}":
                self._member(path)
                self._skip_comma()
            self._at += 1
        else:
            self._at = self._after(_BARE_VALUE)

    def _keys(self) -> list[str]:
        keys: list[str] = []
        while True:
            quoted = _STRING.match(self._text, self._at)
            if quoted:
                self._at = quoted.end()
                keys.append(next(iter(tomllib.loads(f"{quoted[0]} = 0"))))
            else:
                start = self._at
                self._at = self._after(_BARE_KEY)
                keys.append(self._text[start : self._at])
            between = _BETWEEN_KEYS.match(self._text, self._at)
            if between is None or not between[1]:
                return keys
            self._at = between.end()

    def _skip_blank(self) -> bool:
        """Whether anything is left after blanks and comments."""
        self._at = self._after(_BLANK)
        return self._at < len(self._text)

    def _skip_comma(self) -> None:
        if self._skip_blank() and self._text[self._at] == ",":
            self._at += 1

    def _after(self, pattern: re.Pattern[str]) -> int:
        found = pattern.match(self._text, self._at)
        return found.end() if found else self._at

    def _line(self) -> int:
        return bisect_right(self._starts, self._at)
