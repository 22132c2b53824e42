"""Verify or fetch the assets of one workflow; no file gets its name before it is whole and has the right checksum."""

import gzip
import hashlib
import os
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Annotated, Any, BinaryIO

import typer
from pooch import HTTPDownloader
from requests import RequestException, Response
from urllib3.exceptions import HTTPError
from weasel.util.config import load_project_config, parse_config_overrides

from scripts.files import one_line_errors, progress_bar, remove, sibling

BLOCK = 2**20  # bytes read at a time
LARGE = 2**26  # from so many bytes on, reading a file takes long enough for a bar
BZ2_END = 0x177245385090  # ends a bzip2 stream; not aligned to bytes
DAMAGED = (OSError, EOFError, ValueError, NotImplementedError, struct.error, zlib.error, zipfile.BadZipFile)

app = typer.Typer(help=__doc__, add_completion=False, pretty_exceptions_enable=False)

Workflow = Annotated[str, typer.Option(help="a workflow of project.yml, or a folder in assets/")]


@dataclass(frozen=True)
class Asset:
    """An asset of project.yml: where it lies, and what it must be."""

    dest: str
    path: Path
    url: str | None
    checksum: str | None  # MD5, hexadecimal
    size: int | None  # bytes, where the description tells
    needed: bool  # whether the workflow can't do without
    remedy: str  # the command that brings it back


def safe_path(root: Path, name: str, what: str = "path") -> Path:
    """The path of a name inside a folder, for names from files that others wrote (Windows' separators and drives count too).

    Raises:
        ValueError: "WHAT NAME: refused, it is absolute ...", "it has '..' in it ...", "it names no file ..." or
            "a link leads out of the folder ...".
    """
    parts = PureWindowsPath(name)
    reason = None
    if parts.anchor:
        reason = "it is absolute"
    elif ".." in parts.parts:
        reason = "it has '..' in it"
    elif not parts.parts or "\0" in name:
        reason = "it names no file"
    elif not Path(os.path.realpath(root / name)).is_relative_to(os.path.realpath(root)):
        reason = "a link leads out of the folder"
    if reason:
        raise ValueError(f"{what} {name!r}: refused, {reason}: it must lie inside {root.resolve()}")
    return root / name


def workflow_assets(root: Path, project: dict[str, Any], workflow: str) -> list[Asset]:
    """The assets in assets/WORKFLOW/ and those among the deps of the workflow's commands.

    Raises:
        ValueError: "asset ...: refused, ..." for an asset of any workflow that leads out of the project, or
            "no workflow called ..." for a name that neither `workflows` nor a folder in assets/ has.
    """
    entries = [entry for entry in project.get("assets", []) if "git" not in entry]  # `weasel assets` clones those
    paths = [safe_path(root, entry["dest"], "asset") for entry in entries]
    places = [PurePosixPath(entry["dest"]) for entry in entries]
    folders = [place.parts[1] if place.parts[0] == "assets" and len(place.parts) > 2 else None for place in places]
    steps = project.get("workflows", {})
    if workflow not in {*steps, *folders}:
        raise ValueError(f"no workflow called {workflow!r}: project.yml has {', '.join(sorted({*steps, *filter(None, folders)})) or 'none'}")
    commands = [command for command in project.get("commands", []) if command["name"] in steps.get(workflow, [])]
    deps = {PurePosixPath(dep) for command in commands for dep in command.get("deps", [])}
    assets = []
    for entry, path, place, folder in zip(entries, paths, places, folders):
        if place in deps or folder == workflow:
            size = re.search(r"(?<![\d.,])(\d+(?:,\d{3})*) bytes\b", entry.get("description") or "")
            url, checksum = entry.get("url"), entry.get("checksum")
            remedy = f"python -m weasel run fetch . --vars.workflow {workflow}" if url else f"git checkout -- {place}"
            number = int(size[1].replace(",", "")) if size else None
            needed = place in deps or not entry.get("extra")
            assets.append(Asset(str(place), path, url, checksum and checksum.lower(), number, needed, remedy))
    return assets


def _blocks(stream: BinaryIO | gzip.GzipFile, raw: BinaryIO, title: str) -> Iterator[bytes]:
    """The blocks of a stream; the bar follows the raw file beneath it."""
    size = os.fstat(raw.fileno()).st_size
    with progress_bar(title, size, "B") if size >= LARGE else nullcontext() as bar:
        while block := stream.read(BLOCK):
            if bar is not None:
                bar.update(raw.tell() - bar.n)
            yield block


def damage(file: BinaryIO, name: str) -> str | None:
    """What is wrong with a file by the rules of the format that its name tells, or None."""
    size = os.fstat(file.fileno()).st_size
    try:
        if size and name.endswith((".gz", ".tgz")):
            for _ in _blocks(gzip.GzipFile(fileobj=file), file, name):
                pass  # its length and CRC stand at the end, and are compared there
        elif size and name.endswith(".zip"):
            zipfile.ZipFile(file).close()  # reads the central directory, which stands at the end
        elif size and name.endswith(".bz2"):
            _check_bz2(file, size)
        elif size and name.endswith(".7z"):
            _check_7z(file, size)
    except DAMAGED as error:
        return f"cut short or damaged ({error})"
    return None


def _check_bz2(file: BinaryIO, size: int) -> None:
    file.seek(max(size - 11, 0))
    end = int.from_bytes(file.read(), "big")
    # after the magic number come 32 bits of CRC, and 0 to 7 that fill the last byte
    if not any(end >> 32 + fill & 2**48 - 1 == BZ2_END for fill in range(8)):
        raise ValueError("no end of a bzip2 stream")


def _check_7z(file: BinaryIO, size: int) -> None:
    signature, crc, offset, length = struct.unpack("<6s2xIQQ4x", file.read(32))
    file.seek(12)
    if signature != b"7z\xbc\xaf\x27\x1c" or zlib.crc32(file.read(20)) != crc:
        raise ValueError("no 7z header")
    if 32 + offset + length > size:
        raise ValueError(f"{size:,} bytes, not {32 + offset + length:,}")


def flaw(asset: Asset, path: Path) -> str | None:
    """What is wrong with a file that is, or is to become, an asset; None if nothing is."""
    if not path.is_file():
        return "not a file"
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if asset.size is not None and size != asset.size:
            return f"{size:,} bytes, not {asset.size:,}"
        if asset.checksum:
            md5 = hashlib.md5(usedforsecurity=False)
            for block in _blocks(file, file, asset.dest):
                md5.update(block)
            return None if md5.hexdigest() == asset.checksum else f"checksum {md5.hexdigest()}, not {asset.checksum}"
        return "empty" if asset.url and not size else damage(file, asset.dest)


def _praise(asset: Asset) -> str:
    return f"{asset.path.stat().st_size:,} bytes{', checksum agrees' if asset.checksum else ''}"


def _set_aside(path: Path, asset: Asset) -> str:
    """Rename a bad file to NAME.bad. Returns that name."""
    bad = asset.path.with_name(f"{asset.path.name}.bad")
    os.replace(path, bad)
    return bad.name


def check(asset: Asset) -> tuple[str, bool]:
    """What to say of an asset, and whether the workflow can go on. A bad file is set aside.

    A file without a url came with the project: if it differs but is sound, its user edited it, and it stays.
    """
    if not asset.path.exists():
        return f"{'missing' if asset.needed else 'not fetched'}: run {asset.remedy}", not asset.needed
    if asset.path.is_dir() and not asset.url:
        return "ok: a folder, not looked into", True
    if not (reason := flaw(asset, asset.path)):
        return f"ok: {_praise(asset)}", True
    if not asset.url and asset.path.stat().st_size:
        with asset.path.open("rb") as file:
            if not (broken := damage(file, asset.dest)):
                return f"changed: {reason}; kept (to undo, run {asset.remedy})", True
        reason = broken
    return f"bad: {reason}; set aside as {_set_aside(asset.path, asset)}: run {asset.remedy}", False


def download(asset: Asset, part: Path) -> None:
    """Download an asset to a file, and say its size before.

    Raises:
        ValueError: "can't fetch ..." when no answer or none with a file comes, "download cut short ..." when it breaks off.
    """
    lengths: list[int] = []

    def announce(response: Response, **_: Any) -> None:
        if response.ok and not response.is_redirect:
            lengths.append(int(response.headers.get("content-length", 0)))
            size = lengths[-1] or asset.size
            print(f"{asset.dest}: {f'{size:,} bytes' if size else 'an unknown number of bytes'} from {asset.url}", flush=True)

    # a server that packs a file on its way would announce another length
    options: dict[str, Any] = {"headers": {"Accept-Encoding": "identity"}, "hooks": {"response": announce}}
    try:
        with progress_bar(asset.dest, 1, "B") as bar:  # pooch sets the total
            HTTPDownloader(progressbar=bar, chunk_size=BLOCK, **options)(asset.url, str(part), None)
        whole = part.stat().st_size >= lengths[-1]  # older urllib3 don't compare
    except (RequestException, HTTPError) as error:
        if not lengths:
            cause = getattr(error.args[0] if error.args else error, "reason", error)
            raise ValueError(f"can't fetch {asset.url}: {cause}") from error
        whole = False
    if not whole:
        raise ValueError(f"download cut short: {asset.url} broke off before {f'{lengths[-1]:,}' if lengths[-1] else 'all'} bytes had come")


def fetch_asset(asset: Asset) -> tuple[str, bool]:
    """Put a remote asset in its place unless it is there. Returns what to say of it, and whether it is there now."""
    if asset.path.exists():
        if not (reason := flaw(asset, asset.path)):
            return f"already there: {_praise(asset)}", True
        print(f"{asset.dest}: {reason}; set aside as {_set_aside(asset.path, asset)}")
    part = sibling(asset.path)
    remove(part)
    asset.path.parent.mkdir(parents=True, exist_ok=True)
    try:
        download(asset, part)
        if reason := flaw(asset, part):
            return f"refused: {reason}; set aside as {_set_aside(part, asset)}: to try again, run {asset.remedy}", False
        os.replace(part, asset.path)
    finally:
        remove(part)
    return f"fetched: {_praise(asset)}", True


def _for_each(workflow: str, remote: bool, act: Callable[[Asset], tuple[str, bool]]) -> None:
    """Act on the assets of a workflow one after the other; the others still get their turn after one has failed."""
    project = load_project_config(Path(), overrides=parse_config_overrides([]))
    assets = [asset for asset in workflow_assets(Path(), project, workflow) if asset.url or not remote]
    failed = 0
    for asset in assets:
        try:
            message, good = act(asset)
        except (ValueError, OSError) as error:
            message, good = f"failed: {' '.join(str(error).split())}", False
        failed += not good
        print(f"{asset.dest:<{max(len(other.dest) for other in assets)}}  {message}", flush=True)
    if failed:
        raise ValueError(f"{failed} of {len(assets)} assets of {workflow} failed: see above")
    if not assets:
        print(f"{workflow} has no assets{' to fetch' if remote else ''}")


@app.command()
@one_line_errors
def verify(workflow: Workflow) -> None:
    """Check that the assets of a workflow are there and whole; set bad ones aside."""
    _for_each(workflow, False, check)


@app.command()
@one_line_errors
def fetch(workflow: Workflow) -> None:
    """Download the assets of a workflow that are not there yet, one by one."""
    _for_each(workflow, True, fetch_asset)


if __name__ == "__main__":
    app()
