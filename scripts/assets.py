"""Verify or fetch the assets of one workflow; no file gets its name before it is whole and has the right checksum."""

import gzip
import hashlib
import os
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Annotated, Any, BinaryIO

import typer
from pooch import HTTPDownloader
from requests import RequestException, Response
from urllib3.exceptions import HTTPError
from weasel.util.config import load_project_config, parse_config_overrides

from scripts.files import one_line_errors, progress_bar, remove, sibling

BLOCK = 2**20  # bytes read at a time
app = typer.Typer(help=__doc__, add_completion=False, pretty_exceptions_enable=False)
Workflow = Annotated[str, typer.Option(help="a workflow of project.yml, or a folder in assets/")]


@dataclass(frozen=True)
class Asset:
    """An asset of project.yml: where it lies, and what it must be."""

    path: Path
    url: str | None
    checksum: str | None  # MD5, hexadecimal
    size: int | None  # bytes, where the description tells
    needed: bool  # whether the workflow can't do without
    remedy: str  # the command that brings it back


def safe_path(root: Path, name: str, what: str = "path") -> Path:
    """The path of a name inside a folder, for names that others wrote; Windows' separators and drives count too.

    Raises:
        ValueError: "WHAT NAME: refused, ..." with "it names no file", "it is absolute", "it has '..' in it" or
            "a link leads out of the folder".
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
    """The assets in assets/WORKFLOW/ and those among the deps of the workflow's commands, for the project in this folder.

    Raises:
        ValueError: "asset ...: refused, ..." where any asset leads out of the project, "no workflow called ..." for an unknown name.
    """
    entries = [
        entry for entry in project.get("assets", []) if "git" not in entry
    ]  # `weasel assets` clones those
    paths = [safe_path(Path(), entry["dest"], "asset") for entry in entries]
    folders = [
        path.parts[1] if path.parts[0] == "assets" and len(path.parts) > 2 else "" for path in paths
    ]
    steps = project.get("workflows", {})
    if workflow not in (known := {*steps, *folders} - {""}):
        raise ValueError(
            f"no workflow called {workflow!r}: project.yml has {', '.join(sorted(known)) or 'none'}"
        )
    commands = [
        command
        for command in project.get("commands", [])
        if command["name"] in steps.get(workflow, [])
    ]
    deps = {Path(dep) for command in commands for dep in command.get("deps", [])}
    assets = []
    for entry, path, folder in zip(entries, paths, folders):
        if path in deps or folder == workflow:
            url, checksum = entry.get("url"), (entry.get("checksum") or "").lower() or None
            told = re.search(r"(?<![\d.,])(\d+) bytes\b", entry.get("description") or "")
            remedy = (
                f"python -m weasel run fetch . --vars.workflow {workflow}"
                if url
                else f"git checkout -- {path}"
            )
            assets.append(
                Asset(
                    path,
                    url,
                    checksum,
                    int(told[1]) if told else None,
                    path in deps or not entry.get("extra"),
                    remedy,
                )
            )
    return assets


def _blocks(stream: BinaryIO | gzip.GzipFile, raw: BinaryIO, title: str) -> Iterator[bytes]:
    """The blocks of a stream; the bar follows the raw file beneath it."""
    with progress_bar(title, os.fstat(raw.fileno()).st_size, "B") as bar:
        while block := stream.read(BLOCK):
            bar.update(raw.tell() - bar.n)
            yield block


def damage(file: BinaryIO, path: Path) -> str | None:
    """What is wrong with a file by the rules of the format that its path tells, or None; an empty file may be meant so."""
    size = os.fstat(file.fileno()).st_size
    suffix = path.suffix if size else ""
    try:
        if suffix == ".gz":
            for _ in _blocks(gzip.GzipFile(fileobj=file), file, str(path)):
                pass  # its length and CRC stand at the end, and are compared there
        elif suffix == ".zip":
            zipfile.ZipFile(file).close()  # reads the central directory, which stands at the end
        elif suffix == ".bz2":
            file.seek(max(size - 11, 0))
            end = int.from_bytes(
                file.read(), "big"
            )  # a magic number, 32 bits of CRC, 0 to 7 to fill the last byte
            if not any(end >> 32 + fill & 2**48 - 1 == 0x177245385090 for fill in range(8)):
                raise ValueError("no end of a bzip2 stream")
        elif suffix == ".7z":
            signature, crc, offset, length = struct.unpack("<6s2xIQQ4x", start := file.read(32))
            if (
                signature != b"7z\xbc\xaf\x27\x1c"
                or zlib.crc32(start[12:]) != crc
                or 32 + offset + length > size
            ):
                raise ValueError("no 7z header, or one that points beyond the end")
    except (
        OSError,
        EOFError,
        ValueError,
        NotImplementedError,
        struct.error,
        zlib.error,
        zipfile.BadZipFile,
    ) as error:
        return f"cut short or damaged ({error})"
    return None


def flaw(asset: Asset, path: Path) -> str | None:
    """What is wrong with a file that is, or is to become, an asset; None if nothing is."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if asset.size not in (None, size):
            return f"{size:,} bytes, not {asset.size:,}"
        if asset.checksum:
            md5 = hashlib.md5(usedforsecurity=False)
            for block in _blocks(file, file, str(asset.path)):
                md5.update(block)
            return (
                None
                if md5.hexdigest() == asset.checksum
                else f"checksum {md5.hexdigest()}, not {asset.checksum}"
            )
        return "empty" if asset.url and not size else damage(file, asset.path)


def _set_aside(path: Path, asset: Asset, reason: str) -> str:
    os.replace(path, asset.path.with_name(f"{asset.path.name}.bad"))
    return f"bad: {reason}; set aside as {asset.path.name}.bad"


def check(asset: Asset) -> tuple[str, bool]:
    """What to say of an asset, and whether the workflow can go on. A bad file is set aside.

    A file without a url came with the project: if it differs but is sound, its user edited it, and it stays.
    """
    if not asset.path.exists():
        return ("missing", False) if asset.needed else ("not fetched", True)
    reason = flaw(asset, asset.path)
    if reason and not asset.url and asset.path.stat().st_size:
        with asset.path.open("rb") as file:
            if not (broken := damage(file, asset.path)):
                return f"changed: {reason}; kept, to undo run {asset.remedy}", True
        reason = broken
    return (_set_aside(asset.path, asset, reason), False) if reason else ("ok", True)


def download(asset: Asset, part: Path) -> None:
    """Download an asset to a file, and print its size before the first byte comes.

    Raises:
        ValueError: "can't fetch URL ..." where no file is to be had, "download cut short ..." where it breaks off.
    """
    lengths: list[int] = []

    def announce(response: Response, **_: Any) -> None:
        if response.ok and not response.is_redirect:
            lengths.append(int(response.headers.get("content-length", 0)))
            size = lengths[-1] or asset.size
            print(
                f"{asset.path}: {f'{size:,} bytes' if size else 'size unknown'}, from {asset.url}",
                flush=True,
            )

    # a server that packs a file on its way would announce another length
    options: dict[str, Any] = {
        "headers": {"Accept-Encoding": "identity"},
        "hooks": {"response": announce},
        "timeout": 30,
    }
    try:
        with progress_bar(str(asset.path), 1, "B") as bar:  # pooch sets the total
            bar.reset = bar.close  # type: ignore[method-assign]  # in the end pooch resets it, which would print 0%
            HTTPDownloader(progressbar=bar, chunk_size=BLOCK, **options)(asset.url, str(part), None)
        if part.stat().st_size < lengths[-1]:  # not every urllib3 compares
            raise HTTPError
    except (RequestException, HTTPError) as error:
        if lengths:
            raise ValueError(
                f"download cut short: {asset.url} broke off before all had come"
            ) from error
        raise ValueError(
            f"can't fetch {asset.url}: {getattr((error.args or [error])[0], 'reason', error)}"
        ) from error


def fetch_asset(asset: Asset) -> tuple[str, bool]:
    """Put a remote asset in its place unless it is there. Returns what to say of it, and whether it is there now."""
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
    """Act on the assets of a workflow one by one: after one has failed, the others still get their turn."""
    project = load_project_config(Path(), overrides=parse_config_overrides([]))
    assets = [asset for asset in workflow_assets(project, workflow) if asset.url or not remote]
    failed = 0
    for asset in assets:
        try:
            message, good = act(asset)
        except (ValueError, OSError) as error:
            message, good = f"failed: {' '.join(str(error).split())}", False
        end = (
            f" ({asset.path.stat().st_size:,} bytes)"
            if asset.path.exists()
            else f": run {asset.remedy}"
        )
        print(
            f"{asset.path!s:<{max(len(str(other.path)) for other in assets)}}  {message}{end}",
            flush=True,
        )
        failed += not good
    if failed:
        raise ValueError(f"{failed} of {len(assets)} assets of {workflow} failed: see above")
    print(f"{workflow}: {len(assets)} {'with a url' if remote else 'checked'}, none failed")


@app.command()
@one_line_errors
def verify(workflow: Workflow) -> None:
    """Check that the assets of a workflow are there and whole; set bad ones aside."""
    _for_each(workflow, check, remote=False)


@app.command()
@one_line_errors
def fetch(workflow: Workflow) -> None:
    """Download the assets of a workflow that are not there yet, one by one."""
    _for_each(workflow, fetch_asset, remote=True)


if __name__ == "__main__":
    app()
