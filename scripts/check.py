"""The first step of each workflow: refuse misspelt vars before any work."""

import typer

from scripts.files import one_line_errors


@one_line_errors
def main() -> None:
    """Check the vars on weasel's command line, as every command does first: nothing follows."""


if __name__ == "__main__":
    typer.run(main)
