"""Text-format protocol buffers, read without their schema, as tolerantly as people write them.

Comments, single or double quotes, `:` or none before `{`, `<` for `{`, commas or semicolons between fields,
`[a, b]` for repeated scalars, adjacent strings joined.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

Scalar = str | int | float | bool
Field = tuple[str, "Scalar | list[Field]"]
"""Name and value: a scalar, or the fields of a message."""

_TOKEN = re.compile(
    r"""(?P<space>\s+|\#[^\n]*)
    |(?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
    |(?P<number>[+-]?(?:0[xX][0-9a-fA-F]+|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?[fF]?))
    |(?P<word>-?[A-Za-z_][\w.]*)
    |(?P<mark>[{}<>\[\]:,;/-])""",
    re.VERBOSE,
)
_ESCAPE = re.compile(rb"\\([0-7]{1,3}|[xX][0-9a-fA-F]{1,2}|.)", re.DOTALL)
_LETTERS = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"a": b"\a", b"b": b"\b", b"f": b"\f", b"v": b"\v"}
_DEEP = 32


class BadText(Exception):
    """Text that is no message; the message says what is wrong in which line."""


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    line: int


def parse(text: str) -> list[Field]:
    """The fields of the message in their order. Raises BadText."""
    return _Reader(list(_tokens(text))).fields("", 0)


def _tokens(text: str) -> Iterator[_Token]:
    at, line = 0, 1
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise BadText(f"line {line}: {text[at : at + 10]!r} cannot be read")
        kind = match.lastgroup or ""
        if kind != "space":
            yield _Token(kind, match[0], line)
        line += match[0].count("\n")
        at = match.end()


class _Reader:
    """Reads tokens one after the other."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens, self._at = tokens, 0
        self._end = _Token("end", "the end", tokens[-1].line if tokens else 1)

    def _next(self) -> _Token:
        return self._tokens[self._at] if self._at < len(self._tokens) else self._end

    def _take(self) -> _Token:
        token = self._next()
        self._at += 1
        return token

    def _skip(self, marks: str) -> bool:
        if self._next().kind == "mark" and self._next().text in marks:
            self._at += 1
            return True
        return False

    def fields(self, closing: str, depth: int) -> list[Field]:
        """The fields up to the mark that ends the message, or to the end of the text."""
        if depth > _DEEP:
            raise BadText(f"line {self._next().line}: messages in messages, {_DEEP} deep")
        found: list[Field] = []
        while True:
            token = self._take()
            if token.text == (closing or "the end") and token.kind == ("mark" if closing else "end"):
                return found
            if token.kind != "word":
                raise BadText(f"line {token.line}: {token.text:.20} where the name of a field is needed")
            colon = self._skip(":")
            found += [(token.text, value) for value in self._values(colon, depth)]
            self._skip(",;")

    def _values(self, colon: bool, depth: int) -> list[Scalar | list[Field]]:
        if not self._skip("["):
            return [self._value(colon, depth)]
        values: list[Scalar | list[Field]] = []
        while not self._skip("]"):
            values.append(self._value(True, depth))
            self._skip(",")
        return values

    def _value(self, colon: bool, depth: int) -> Scalar | list[Field]:
        token = self._take()
        if token.kind == "mark" and token.text in "{<":
            return self.fields("}" if token.text == "{" else ">", depth + 1)
        if not colon:
            raise BadText(f"line {token.line}: {token.text:.20} where : or {{ is needed")
        if token.kind == "string":
            parts = [token.text]
            while self._next().kind == "string":
                parts.append(self._take().text)
            return "".join(_unquoted(part) for part in parts)
        if token.kind == "number":
            return _number(token)
        if token.kind == "word":
            return {"true": True, "True": True, "t": True, "false": False, "False": False, "f": False}.get(
                token.text, token.text
            )
        raise BadText(f"line {token.line}: {token.text:.20} where a value is needed")


def _number(token: _Token) -> int | float:
    text = token.text
    try:
        if "x" in text.lower():
            return int(text, 16)
        return float(text.rstrip("fF")) if re.search(r"[.eEfF]", text) else int(text)
    except ValueError:  # thousands of digits
        raise BadText(f"line {token.line}: {text:.20} is no number that can be read") from None


def _unquoted(text: str) -> str:
    def meant(match: re.Match[bytes]) -> bytes:
        code = match[1]
        if code[:1] in b"01234567":
            return bytes([int(code, 8) & 0xFF])
        if code[:1] in b"xX" and len(code) > 1:
            return bytes([int(code[1:], 16)])
        return _LETTERS.get(code, code)

    return _ESCAPE.sub(meant, text[1:-1].encode("utf-8", "surrogatepass")).decode("utf-8", "replace")


def quoted(text: str) -> str:
    """A string as it stands in the text, within single quotes."""
    safe = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\r", "\\r")
    return f"'{safe}'"
