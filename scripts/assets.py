"""Verify or fetch the assets of one workflow.

No file gets its final name before it is complete and has the right checksum.
"""

import gzip
import hashlib
import os
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from scripts.files import one_line_errors, progress_bar, remove, sibling

if TYPE_CHECKING:
    from requests import Response

BLOCK = 2**20  # bytes read at a time
TIMEOUT = 30  # seconds
BZIP2_END = 0x177245385090  # the magic number, 48 bits
DAMAGE = (
    *(OSError, EOFError, ValueError, NotImplementedError),
    *(struct.error, zlib.error, zipfile.BadZipFile),
)
app = typer.Typer(help=__doc__, add_completion=False, pretty_exceptions_enable=False)
Workflow = Annotated[str, typer.Option(help="a workflow of project.yml, or a folder in assets/")]


@dataclass(frozen=True)
class Asset:
    """An asset of project.yml: where it is, and what it must be."""

    path: Path
    url: str | None
    checksum: str | None  # MD5, hexadecimal
    size: int | None  # bytes, if known
    needed: bool  # whether the workflow cannot run without it
    remedy: str  # the command that brings it back


def safe_path(root: Path, name: str, what: str = "path") -> Path:
    r"""The path of a name inside a folder, for names that somebody else wrote.

    Windows' separators (\) and drives (C:) count as well.

    Raises:
        ValueError: "WHAT NAME: refused, ..." with "it names no file", "it is absolute", "it has
            '..' in it" or "a link leads out of the folder".
    """
    parts, real = PureWindowsPath(name), Path(os.path.realpath(root / name))
    reasons = {
        "it names no file": not parts.parts,
        "it is absolute": parts.anchor,
        "it has '..' in it": ".." in parts.parts,
        "a link leads out of the folder": not real.is_relative_to(os.path.realpath(root)),
    }
    for reason in filter(reasons.get, reasons):
        raise ValueError(f"{what} {name}: refused, {reason}: it must lie inside {root.resolve()}")
    return root / name


def workflow_assets(project: dict[str, Any], workflow: str) -> list[Asset]:
    """The assets in assets/WORKFLOW/, and those among the deps of the workflow's commands.

    Args:
        project: the content of project.yml, with its vars filled in; the project is in this folder.
        workflow: its name.

    Raises:
        ValueError: "asset ...: refused, ..." if any asset leads out of the project, "no workflow
            called ..." for an unknown name.
    """
    entries = [entry for entry in project.get("assets", []) if "git" not in entry]
    paths = [safe_path(Path(), entry["dest"], "asset") for entry in entries]
    folders = [_workflow_folder(path) for path in paths]
    workflows = project.get("workflows", {})
    known = sorted({*workflows, *folders} - {""})
    if workflow not in known:
        names = ", ".join(known) or "none"
        raise ValueError(f"no workflow called {workflow!r}: project.yml has {names}")
    deps = _deps(project, workflows.get(workflow, []))
    assets = []
    for entry, path, folder in zip(entries, paths, folders):
        if path in deps or folder == workflow:
            assets.append(_asset(entry, path, path in deps, workflow))
    return assets


def _workflow_folder(path: Path) -> str:
    """The name of the folder of assets/ that a path is in; "" if in none."""
    return path.parts[1] if path.parts[0] == "assets" and len(path.parts) > 2 else ""


def _deps(project: dict[str, Any], names: list[str]) -> set[Path]:
    """The deps of commands."""
    deps: set[Path] = set()
    for command in project.get("commands", []):
        if command["name"] in names:
            deps |= {Path(dep) for dep in command.get("deps", [])}
    return deps


def _asset(entry: dict[str, Any], path: Path, is_dep: bool, workflow: str) -> Asset:
    url = entry.get("url")
    fetch = f"python -m weasel run fetch . --vars.workflow {workflow}"
    return Asset(
        path=path,
        url=url,
        checksum=(entry.get("checksum") or "").lower() or None,
        size=entry.get("size"),
        needed=is_dep or not entry.get("extra"),
        remedy=fetch if url else f"git checkout -- {path}",
    )


def _blocks(stream: BinaryIO | gzip.GzipFile, raw: BinaryIO, title: str) -> Iterator[bytes]:
    """The blocks of a stream; the progress bar follows the raw file beneath it."""
    with progress_bar(title, os.fstat(raw.fileno()).st_size, "B") as bar:
        while block := stream.read(BLOCK):
            bar.update(raw.tell() - bar.n)
            yield block


def _check_gzip(file: BinaryIO, path: Path) -> None:
    """Read all of it: its length and CRC are at the end, and are compared there."""
    for _ in _blocks(gzip.GzipFile(fileobj=file), file, str(path)):
        pass


def _check_zip(file: BinaryIO, path: Path) -> None:
    """Read the central directory, which is at the end."""
    zipfile.ZipFile(file).close()


def _check_bzip2(file: BinaryIO, path: Path) -> None:
    """Look for the end: a magic number, 32 bits of CRC, and 0 to 7 bits that fill the last byte."""
    file.seek(max(os.fstat(file.fileno()).st_size - 11, 0))
    end = int.from_bytes(file.read(), "big")
    if not any(end >> 32 + fill & 2**48 - 1 == BZIP2_END for fill in range(8)):
        raise ValueError("no end of a bzip2 stream")


def _check_7z(file: BinaryIO, path: Path) -> None:
    """Read the header, and check that what it points to is there."""
    start = file.read(32)
    signature, crc, offset, length = struct.unpack("<6s2xIQQ4x", start)
    is_header = signature == b"7z\xbc\xaf\x27\x1c" and zlib.crc32(start[12:]) == crc
    if not is_header or 32 + offset + length > os.fstat(file.fileno()).st_size:
        raise ValueError("no 7z header, or one that points beyond the end")


CHECKS: dict[str, Callable[[BinaryIO, Path], None]] = {
    ".gz": _check_gzip,
    ".zip": _check_zip,
    ".bz2": _check_bzip2,
    ".7z": _check_7z,
}


def damage(file: BinaryIO, path: Path) -> str | None:
    """What is wrong with a file of the format that its suffix names; None if nothing is.

    An empty file may be empty on purpose.
    """
    check_format = CHECKS.get(path.suffix)
    if check_format and os.fstat(file.fileno()).st_size:
        try:
            check_format(file, path)
        except DAMAGE as error:
            return f"cut short or damaged ({error})"
    return None


def flaw(asset: Asset, path: Path) -> str | None:
    """What is wrong with a file that is, or is to become, an asset; None if nothing is."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if asset.size not in (None, size):
            return f"{size:,} bytes, not {asset.size:,}"
        if asset.checksum:
            checksum = _md5(file, str(asset.path))
            return (
                None if checksum == asset.checksum else f"checksum {checksum}, not {asset.checksum}"
            )
        return "empty" if asset.url and not size else damage(file, asset.path)


def _md5(file: BinaryIO, title: str) -> str:
    md5 = hashlib.md5(usedforsecurity=False)
    for block in _blocks(file, file, title):
        md5.update(block)
    return md5.hexdigest()


def _set_aside(path: Path, asset: Asset, reason: str) -> str:
    os.replace(path, asset.path.with_name(f"{asset.path.name}.bad"))
    return f"bad: {reason}; set aside as {asset.path.name}.bad"


def check(asset: Asset) -> tuple[str, bool]:
    """(what to print about an asset, whether the workflow can run). A bad file is set aside.

    A file without a url came with the project: if it differs but is sound, its user edited it, and
    it stays.
    """
    if not asset.path.exists():
        return ("missing", False) if asset.needed else ("not fetched", True)
    reason = flaw(asset, asset.path)
    if reason and not asset.url and asset.path.stat().st_size:
        with asset.path.open("rb") as file:
            broken = damage(file, asset.path)
        if not broken:
            return f"changed: {reason}; kept, to undo run {asset.remedy}", True
        reason = broken
    return (_set_aside(asset.path, asset, reason), False) if reason else ("ok", True)


def download(asset: Asset, part: Path) -> None:
    """Download an asset to a file, and print its size before the first byte arrives.

    Raises:
        ValueError: "can't fetch URL ..." if there is no file, "download cut short ..." if it
            breaks off.
    """
    from pooch import HTTPDownloader
    from requests import RequestException
    from urllib3.exceptions import HTTPError

    lengths: list[int] = []

    def announce(response: "Response", **_: Any) -> None:
        if response.ok and not response.is_redirect:
            lengths.append(int(response.headers.get("content-length", 0)))
            _print_size(asset, lengths[-1])

    # a server that compresses on the way would announce another length
    headers = {"Accept-Encoding": "identity"}
    options: dict[str, Any] = {"headers": headers, "hooks": {"response": announce}}
    try:
        with progress_bar(str(asset.path), 1, "B") as bar:  # pooch sets the total
            # in the end pooch resets it, which would print 0%
            bar.reset = bar.close  # type: ignore[method-assign]
            get = HTTPDownloader(progressbar=bar, chunk_size=BLOCK, timeout=TIMEOUT, **options)
            get(asset.url, str(part), None)
        if part.stat().st_size < lengths[-1]:  # not every urllib3 compares them
            raise HTTPError
    except (RequestException, HTTPError) as error:
        if lengths:
            reason = "broke off before the end of the file"
            raise ValueError(f"download cut short: {asset.url} {reason}") from error
        cause = getattr((error.args or [error])[0], "reason", error)
        raise ValueError(f"can't fetch {asset.url}: {cause}") from error


def _print_size(asset: Asset, announced: int) -> None:
    size = announced or asset.size
    print(
        f"{asset.path}: {f'{size:,} bytes' if size else 'size unknown'}, from {asset.url}",
        flush=True,
    )


def fetch_asset(asset: Asset) -> tuple[str, bool]:
    """Download an asset if it is not there. Returns what to print, and whether it is there now."""
    message, good = check(asset)
    if asset.path.exists():
        return f"already there, {message}", good
    if message.startswith("bad"):
        print(f"{asset.path}: {message}")
    remove(part := sibling(asset.path))
    asset.path.parent.mkdir(parents=True, exist_ok=True)
    try:
        download(asset, part)
        if reason := flaw(asset, part):
            return _set_aside(part, asset, reason), False
        os.replace(part, asset.path)
    finally:
        remove(part)
    return "fetched", True


def _for_each(workflow: str, act: Callable[[Asset], tuple[str, bool]], remote: bool) -> None:
    """Act on the assets of a workflow one by one: if one fails, the others still get their turn."""
    from weasel.util.config import load_project_config, parse_config_overrides

    project = load_project_config(Path(), overrides=parse_config_overrides([]))
    assets = [asset for asset in workflow_assets(project, workflow) if asset.url or not remote]
    width = max((len(str(asset.path)) for asset in assets), default=0)
    failed = 0
    for asset in assets:
        message, good = _attempt(act, asset)
        is_there = asset.path.exists()
        end = f" ({asset.path.stat().st_size:,} bytes)" if is_there else f": run {asset.remedy}"
        print(f"{asset.path!s:<{width}}  {message}{end}", flush=True)
        failed += not good
    if failed:
        raise ValueError(f"{failed} of {len(assets)} assets of {workflow} failed: see above")
    print(f"{workflow}: {len(assets)} {'with a url' if remote else 'checked'}, none failed")


def _attempt(act: Callable[[Asset], tuple[str, bool]], asset: Asset) -> tuple[str, bool]:
    try:
        return act(asset)
    except (ValueError, OSError) as error:
        return f"failed: {' '.join(str(error).split())}", False


@app.command()
@one_line_errors
def verify(workflow: Workflow) -> None:
    """Check that the assets of a workflow are there and complete; set bad ones aside."""
    _for_each(workflow, check, remote=False)


@app.command()
@one_line_errors
def fetch(workflow: Workflow) -> None:
    """Download the assets of a workflow that are not there yet, one by one."""
    _for_each(workflow, fetch_asset, remote=True)


if __name__ == "__main__":
    app()
