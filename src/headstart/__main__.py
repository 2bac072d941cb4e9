"""`python -m headstart`."""

from __future__ import annotations

from headstart.cli.main import entry

if __name__ == "__main__":
    entry()
