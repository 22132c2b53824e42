"""scripts/assets.py on tiny projects and a local web server, which can lie about lengths."""

import bz2
import gzip
import hashlib
import os
import socket
import struct
import subprocess
import sys
import threading
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pooch
import pytest
import srsly

from scripts import assets
from scripts.assets import safe_path

ROOT = Path(__file__).parent.parent
Run = Callable[..., tuple[int, str, str]]
FETCH = "python -m weasel run fetch . --vars.workflow words"
DATA = b"of in to and the\n" * 1000


class Server:
    """The content of the server, and the paths that it was asked for.

    Lengths are those announced if they differ from the body's; None for none announced.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.bodies: dict[str, bytes] = {}
        self.lengths: dict[str, int | None] = {}
        self.moved: dict[str, str] = {}
        self.asked: list[str] = []


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            held.asked.append(self.path)
            if self.path in held.moved:
                self.send_response(302)
                self.send_header("Location", held.url + held.moved[self.path])
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            if self.path not in held.bodies:
                self.send_error(404, "Not Found")
                return
            body = held.bodies[self.path]
            length = held.lengths.get(self.path, len(body))
            self.send_response(200)
            if length is not None:
                self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(body)  # HTTP/1.0: the connection ends here

        def log_message(self, *args: Any) -> None:
            pass

    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "127.0.0.1")
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    held = Server(f"http://127.0.0.1:{httpd.server_port}")
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield held
    httpd.shutdown()
    thread.join()
    httpd.server_close()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to make a project in; its siblings are outside of the project."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def write_project(
    *entries: dict[str, Any],
    deps: Iterable[str] = (),
    workflows: dict[str, Any] | None = None,
    **more: Any,
) -> None:
    commands = [{"name": "words-make", "script": ["python -V"], "deps": list(deps)}]
    config = {
        "assets": list(entries),
        "commands": commands,
        "workflows": workflows or {"words": ["words-make"]},
        **more,
    }
    srsly.write_yaml("project.yml", config)


def put(name: str, data: bytes) -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(command: str, workflow: str = "words") -> tuple[int, str, str]:
        """Exit code, stdout, stderr."""
        with pytest.raises(SystemExit) as ended:
            assets.app([command, "--workflow", workflow])
        said = capsys.readouterr()
        assert "Traceback" not in said.out + said.err
        return int(ended.value.code or 0), said.out, said.err

    return call


def files(folder: Path) -> list[str]:
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()
    )


def sevenzip(body: bytes, footer: bytes) -> bytes:
    numbers = struct.pack("<QQI", len(body), len(footer), zlib.crc32(footer))
    return (
        b"7z\xbc\xaf\x27\x1c\x00\x04"
        + struct.pack("<I", zlib.crc32(numbers))
        + numbers
        + body
        + footer
    )


def zipped(path: Path) -> bytes:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", DATA)
    data = path.read_bytes()
    path.unlink()
    return data


# verify


def test_verify_reports_each_asset_of_the_workflow_on_an_aligned_line(
    project: Path, run: Run
) -> None:
    write_project(
        {
            "dest": "assets/words/a.txt",
            "checksum": md5(DATA).upper(),
            "size": len(DATA),
        },
        {"dest": "assets/shared.jsonl", "description": "a dep, by a var"},
        {"dest": "assets/other/texts.jsonl", "description": "of another workflow, and missing"},
        deps=["${vars.shared}", "corpus/x.spacy"],
        vars={"shared": "assets/shared.jsonl"},
    )
    put("assets/words/a.txt", DATA)
    put("assets/shared.jsonl", b"{}\n")
    code, out, err = run("verify")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "assets/words/a.txt   ok (17,000 bytes)",
        "assets/shared.jsonl  ok (3 bytes)",
        "words: 2 checked, none failed",
    ]


def test_overrides_from_the_environment_decide_what_is_a_dep(
    project: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = [{"dest": "assets/a.txt"}, {"dest": "assets/b.txt"}]
    write_project(*entries, deps=["${vars.texts}"], vars={"texts": "assets/a.txt"})
    monkeypatch.setenv("WEASEL_CONFIG_OVERRIDES", "--vars.texts assets/b.txt")
    assert run("verify")[1] == "assets/b.txt  missing: run git checkout -- assets/b.txt\n"


def test_missing_checked_in_file_fails_and_others_are_still_checked(
    project: Path, run: Run
) -> None:
    write_project({"dest": "assets/words/a.txt"}, {"dest": "assets/words/b.txt"})
    put("assets/words/b.txt", DATA)
    code, out, err = run("verify")
    assert code == 1
    assert (
        out.splitlines()[0] == "assets/words/a.txt  missing: run git checkout -- assets/words/a.txt"
    )
    assert out.splitlines()[1] == "assets/words/b.txt  ok (17,000 bytes)"
    assert err == "Error: 1 of 2 assets of words failed: see above\n"


@pytest.mark.parametrize("says", [{"checksum": md5(DATA)}, {"size": 17000}])
def test_changed_checked_in_file_is_only_reported(
    project: Path, run: Run, says: dict[str, Any]
) -> None:
    write_project({"dest": "assets/words/a.txt", **says})
    path = put("assets/words/a.txt", b"my own words\n")
    code, out, err = run("verify")
    assert (code, err) == (0, "")
    assert (
        "a.txt  changed: " in out
        and "kept, to undo run git checkout -- assets/words/a.txt (13 bytes)" in out
    )
    assert path.read_bytes() == b"my own words\n" and files(project / "assets") == ["words/a.txt"]


@pytest.mark.parametrize("says", [{}, {"checksum": "0" * 32}])
def test_damaged_checked_in_archive_is_set_aside_with_the_way_back(
    project: Path, run: Run, says: dict[str, Any]
) -> None:
    write_project({"dest": "assets/words/a.txt.gz", **says})
    put("assets/words/a.txt.gz", gzip.compress(DATA)[:-9])
    code, out, _ = run("verify")
    assert code == 1 and files(project / "assets") == ["words/a.txt.gz.bad"]
    assert (
        "bad: cut short or damaged (" in out
        and "; set aside as a.txt.gz.bad: run git checkout -- assets/words/a.txt.gz" in out
    )


def test_empty_files_are_fine_where_nothing_says_otherwise(project: Path, run: Run) -> None:
    write_project(
        {"dest": "assets/words/empty.jsonl"},
        {"dest": "assets/words/known.jsonl", "checksum": md5(b""), "size": 0},
        {"dest": "assets/words/remote.txt", "url": "http://127.0.0.1:1/"},
        {"dest": "assets/words/emptied.txt", "checksum": md5(DATA)},
    )
    for name in ("empty.jsonl", "known.jsonl", "remote.txt", "emptied.txt"):
        put(f"assets/words/{name}", b"")
    code, out, err = run("verify")
    lines = out.splitlines()
    assert code == 1 and "2 of 4 assets" in err
    assert lines[0].endswith("ok (0 bytes)") and lines[1].endswith("ok (0 bytes)")
    assert "bad: empty; set aside as remote.txt.bad: run " in lines[2]
    assert "bad: checksum " in lines[3] and lines[3].endswith(
        "run git checkout -- assets/words/emptied.txt"
    )
    assert not Path("assets/words/remote.txt").exists()


def test_wrong_checksum_of_a_remote_asset_is_set_aside(project: Path, run: Run) -> None:
    write_project(
        {"dest": "assets/words/a.txt", "url": "http://127.0.0.1:1/", "checksum": md5(DATA)}
    )
    put("assets/words/a.txt", b"other")
    code, out, _ = run("verify")
    assert code == 1 and files(project / "assets") == ["words/a.txt.bad"]
    assert (
        f"bad: checksum {md5(b'other')}, not {md5(DATA)}; set aside as a.txt.bad: run {FETCH}"
        in out
    )


def test_wrong_size_is_set_aside(project: Path, run: Run) -> None:
    write_project(
        {
            "dest": "assets/words/a.txt",
            "url": "http://127.0.0.1:1/",
            "size": 17000,
        }
    )
    put("assets/words/a.txt", DATA[:-1])
    assert "bad: 16,999 bytes, not 17,000; set aside" in run("verify")[1]


def test_absent_extra_fails_only_where_a_command_needs_it(project: Path, run: Run) -> None:
    entry = {"dest": "assets/words/a.txt", "url": "http://127.0.0.1:1/", "extra": True}
    write_project(entry)
    assert run("verify") == (
        0,
        f"assets/words/a.txt  not fetched: run {FETCH}\nwords: 1 checked, none failed\n",
        "",
    )
    write_project(entry, deps=["assets/words/a.txt"])
    code, out, _ = run("verify")
    assert (code, out) == (1, f"assets/words/a.txt  missing: run {FETCH}\n")


@pytest.mark.parametrize("suffix", ["gz", "zip", "bz2", "7z"])
def test_archives_cut_short_are_found(project: Path, run: Run, suffix: str) -> None:
    makers: dict[str, Callable[[], bytes]] = {
        "gz": lambda: gzip.compress(DATA),
        "bz2": lambda: bz2.compress(DATA),
        "zip": lambda: zipped(project / "x"),
        "7z": lambda: sevenzip(DATA, b"end"),
    }
    whole = makers[suffix]()
    name = f"assets/words/a.{suffix}"
    write_project({"dest": name, "url": "http://127.0.0.1:1/"})
    for cut in (1, 5, 12, len(whole) // 2, len(whole) - 20, len(whole) - 1):
        put(name, whole[:-cut])
        code, out, _ = run("verify")
        assert code == 1 and f"a.{suffix}  bad: cut short or damaged (" in out, cut
        assert files(project / "assets") == [f"words/a.{suffix}.bad"]
    put(name, whole)
    assert run("verify")[0] == 0


def test_the_end_of_a_bz2_is_found_at_any_bit(project: Path, run: Run) -> None:
    write_project({"dest": "assets/words/a.bz2"})
    padding = set()
    for n in range(40):
        data = bz2.compress(bytes(range(n)))
        end = int.from_bytes(data[-11:], "big")
        padding |= {fill for fill in range(8) if end >> 32 + fill & 2**48 - 1 == 0x177245385090}
        put("assets/words/a.bz2", data)
        assert run("verify")[0] == 0
    assert padding == set(range(8))


@pytest.mark.parametrize("suffix", ["gz", "zip", "bz2", "7z"])
def test_another_file_under_the_name_of_an_archive_is_found(
    project: Path, run: Run, suffix: str
) -> None:
    write_project({"dest": f"assets/words/a.{suffix}", "url": "http://127.0.0.1:1/"})
    put(f"assets/words/a.{suffix}", b"<html>Please log in</html>" * 10)
    assert "bad: cut short or damaged (" in run("verify")[1]


def test_a_folder_in_the_place_of_a_file_fails_in_one_line(project: Path, run: Run) -> None:
    write_project({"dest": "assets/words/a.txt"})
    Path("assets/words/a.txt").mkdir(parents=True)
    code, out, _ = run("verify")
    assert (
        code == 1
        and len(out.splitlines()) == 1
        and "failed: " in out
        and Path("assets/words/a.txt").is_dir()
    )


@pytest.mark.parametrize("command", ["verify", "fetch"])
def test_unknown_workflow_names_the_known_ones(project: Path, run: Run, command: str) -> None:
    write_project(
        {"dest": "assets/third/a.txt"},
        {"dest": "assets/empty.jsonl"},
        workflows={"other": [], "all": []},
    )
    code, out, err = run(command, "vektors")
    assert (code, out) == (1, "")
    assert err == "Error: no workflow called 'vektors': project.yml has all, other, third\n"
    assert run(command, "other") == (
        0,
        f"other: 0 {'checked' if command == 'verify' else 'with a url'}, none failed\n",
        "",
    )


# paths


@pytest.mark.parametrize("command", ["verify", "fetch"])
@pytest.mark.parametrize(
    ("dest", "reason"),
    [
        ("../x.txt", "it has '..' in it"),
        ("assets/words/../../../x.txt", "it has '..' in it"),
        ("assets\\..\\..\\x.txt", "it has '..' in it"),
        ("{outside}/x.txt", "it is absolute"),
        ("C:\\x.txt", "it is absolute"),
        ("assets/words/out/x.txt", "a link leads out of the folder"),
        ("assets/words/x.txt", "a link leads out of the folder"),
        ("./", "it names no file"),
    ],
)
def test_a_path_out_of_the_project_is_refused(
    project: Path, server: Server, run: Run, command: str, dest: str, reason: str
) -> None:
    outside = project.parent / "outside"
    outside.mkdir()
    links = project / "assets" / "words"
    links.mkdir(parents=True)
    (links / "out").symlink_to(outside)
    (links / "x.txt").symlink_to(outside / "x.txt")
    server.bodies["/a"] = DATA
    good = {"dest": "assets/words/good.txt", "url": server.url + "/a"}
    dest = dest.format(outside=outside)
    write_project(good, {"dest": dest, "url": server.url + "/a"})
    before = files(project.parent)
    code, out, err = run(command)
    assert (code, out) == (1, "")
    assert (
        err.startswith(f"Error: asset {dest}: refused, {reason}: it must lie inside ")
        and err.count("\n") == 1
    )
    assert (
        files(project.parent) == before and server.asked == []
    )  # nothing written, nothing fetched


def test_safe_path(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "in").mkdir(parents=True)
    (root / "link").symlink_to(root / "in")
    (root / "loop").symlink_to(root / "loop")
    (root / "other").symlink_to(tmp_path / "root2")
    assert safe_path(root, "in/new/a..b.txt") == root / "in/new/a..b.txt"
    assert safe_path(root, "link/a.txt") == root / "link/a.txt"
    assert safe_path(root, "loop") == root / "loop"
    for name, reason in {
        "/etc/passwd": "it is absolute",
        "\\\\host\\share\\a": "it is absolute",
        "in/../../a": "it has '..' in it",
        "..": "it has '..' in it",
        "": "it names no file",
        "other/a": "a link leads out of the folder",
    }.items():
        with pytest.raises(ValueError) as raised:
            safe_path(root, name, "member of x.zip")
        assert (
            str(raised.value)
            == f"member of x.zip {name}: refused, {reason}: it must lie inside {root}"
        )


# fetch


def test_fetch_puts_a_good_file_in_place_and_skips_it_next_time(
    project: Path, server: Server, run: Run
) -> None:
    server.bodies["/a.gz"] = gzip.compress(DATA)
    size = len(server.bodies["/a.gz"])
    server.moved["/old.gz"] = "/a.gz"
    write_project(
        {
            "dest": "assets/words/a.gz",
            "url": server.url + "/old.gz",
            "checksum": md5(server.bodies["/a.gz"]),
            "extra": True,
        },
        {"dest": "assets/words/checked-in.txt"},
        {"dest": "assets/other/other.gz", "url": server.url + "/other.gz", "extra": True},
    )
    code, out, err = run("fetch")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        f"assets/words/a.gz: {size} bytes, from {server.url}/old.gz",
        f"assets/words/a.gz  fetched ({size} bytes)",
        "words: 1 with a url, none failed",
    ]
    assert (
        files(project / "assets") == ["words/a.gz"]
        and Path("assets/words/a.gz").read_bytes() == server.bodies["/a.gz"]
    )
    assert server.asked == ["/old.gz", "/a.gz"]
    code, out, err = run("fetch")
    assert (code, err) == (0, "") and out.startswith(
        f"assets/words/a.gz  already there, ok ({size} bytes)\n"
    )
    assert server.asked == ["/old.gz", "/a.gz"]


def test_wrong_checksum_is_set_aside_and_the_next_run_fetches_again(
    project: Path, server: Server, run: Run
) -> None:
    server.bodies["/a"] = b"other"
    write_project({"dest": "assets/words/a.txt", "url": server.url + "/a", "checksum": md5(DATA)})
    code, out, err = run("fetch")
    assert code == 1 and err == "Error: 1 of 1 assets of words failed: see above\n"
    assert (
        f"bad: checksum {md5(b'other')}, not {md5(DATA)}; set aside as a.txt.bad: run {FETCH}"
        in out
    )
    assert files(project / "assets") == ["words/a.txt.bad"]
    server.bodies["/a"] = DATA
    assert run("fetch")[0] == 0
    assert Path("assets/words/a.txt").read_bytes() == DATA and len(server.asked) == 2


def test_a_bad_file_already_there_is_set_aside_and_fetched_again(
    project: Path, server: Server, run: Run
) -> None:
    server.bodies["/a"] = DATA
    write_project({"dest": "assets/words/a.txt", "url": server.url + "/a", "checksum": md5(DATA)})
    put("assets/words/a.txt", b"other")
    code, out, _ = run("fetch")
    assert (
        code == 0 and "set aside as a.txt.bad\n" in out and "a.txt  fetched (17,000 bytes)" in out
    )
    assert (
        Path("assets/words/a.txt").read_bytes() == DATA
        and Path("assets/words/a.txt.bad").read_bytes() == b"other"
    )


def test_download_cut_short_leaves_no_file_and_the_next_run_completes(
    project: Path, server: Server, run: Run
) -> None:
    server.bodies["/a"] = DATA[:9000]
    server.lengths["/a"] = len(DATA)
    write_project({"dest": "assets/words/a.txt", "url": server.url + "/a"})
    code, out, err = run("fetch")
    assert code == 1 and err.count("\n") == 1
    assert out.splitlines()[0] == f"assets/words/a.txt: 17,000 bytes, from {server.url}/a"
    reason = f"download cut short: {server.url}/a broke off before the end of the file"
    assert f"failed: {reason}: run {FETCH}" in out
    assert files(project / "assets") == []
    server.bodies["/a"] = DATA
    assert run("fetch")[0] == 0 and Path("assets/words/a.txt").read_bytes() == DATA


def test_download_cut_short_is_found_where_the_http_library_does_not_compare_lengths(
    project: Path, server: Server, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.bodies["/a"] = DATA
    write_project({"dest": "assets/words/a.txt", "url": server.url + "/a"})
    get = pooch.HTTPDownloader.__call__

    def lose_the_end(self: Any, url: str, output_file: str, pooch: None) -> None:
        get(self, url, output_file, pooch)
        os.truncate(output_file, 100)

    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", lose_the_end)
    code, out, _ = run("fetch")
    assert code == 1 and "failed: download cut short: " in out and files(project / "assets") == []


def test_archive_cut_short_without_a_length_never_takes_its_name(
    project: Path, server: Server, run: Run
) -> None:
    server.bodies["/a"] = gzip.compress(DATA)[:-4]
    server.lengths["/a"] = None
    write_project({"dest": "assets/words/a.gz", "url": server.url + "/a"})
    code, out, _ = run("fetch")
    assert code == 1 and "a.gz: size unknown, from " in out and "bad: cut short or damaged (" in out
    assert files(project / "assets") == ["words/a.gz.bad"]


def test_unreachable_urls_get_a_line_each_and_the_others_are_fetched(
    project: Path, server: Server, run: Run
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    server.bodies["/d"] = DATA
    urls = {
        "a": f"http://127.0.0.1:{port}/a",
        "b": server.url + "/b",
        "c": "s3://bucket/c",
        "d": server.url + "/d",
    }
    write_project(*({"dest": f"assets/words/{name}.txt", "url": url} for name, url in urls.items()))
    code, out, err = run("fetch")
    lines = out.splitlines()
    assert (
        code == 1 and err == "Error: 3 of 4 assets of words failed: see above\n" and len(lines) == 5
    )
    assert (
        f"a.txt  failed: can't fetch {urls['a']}: " in lines[0] and "Connection refused" in lines[0]
    )
    assert f"b.txt  failed: can't fetch {urls['b']}: 404 Client Error" in lines[1]
    assert f"c.txt  failed: can't fetch {urls['c']}: No connection adapters" in lines[2]
    assert lines[4] == "assets/words/d.txt  fetched (17,000 bytes)"
    assert files(project / "assets") == ["words/d.txt"]


def test_what_a_killed_run_left_is_replaced_even_a_link(
    project: Path, server: Server, run: Run
) -> None:
    server.bodies["/a"] = DATA
    write_project({"dest": "assets/words/a.txt", "url": server.url + "/a"})
    victim = put(str(project.parent / "victim.txt"), b"mine")
    Path("assets/words").mkdir(parents=True)
    Path("assets/words/.a.txt.part").symlink_to(victim)
    assert run("fetch")[0] == 0
    assert victim.read_bytes() == b"mine" and files(project / "assets") == ["words/a.txt"]


def test_it_runs_as_a_module(project: Path) -> None:
    write_project({"dest": "assets/words/a.txt"})
    put("assets/words/a.txt", DATA)
    command = [sys.executable, "-m", "scripts.assets", "verify", "--workflow", "words"]
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (
        0,
        "assets/words/a.txt  ok (17,000 bytes)\nwords: 1 checked, none failed\n",
        "",
    )
