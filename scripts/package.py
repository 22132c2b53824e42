"""Package a pipeline as a wheel, as `spacy package` does, but without a network and in one step."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from scripts.files import one_line_errors, remove, sibling, split_paths, write_json

EPOCH = "315532800"  # 1980-01-01, the first date that a zip file can hold: same input, same bytes
# what `python -m build --wheel --no-isolation` calls in the end, after starting two processes
BUILD = "from setuptools.build_meta import __legacy__ as backend; backend.build_wheel('dist')"


def complete_meta(
    pipeline: Path, metrics: dict[str, Any], details: dict[str, Any]
) -> dict[str, Any]:
    """The pipeline's meta.json with details of the package and with its scores.

    Args:
        pipeline: the folder of the pipeline.
        metrics: what becomes "performance".
        details: name, version, description, license, author, url, sources.

    Raises:
        ValueError: "... is not a pipeline ...", if the folder has no meta.json.
    """
    import srsly

    path = pipeline / "meta.json"
    if not path.exists():
        raise ValueError(f"{pipeline} is not a pipeline: run the training first")
    return {**srsly.read_json(path), **details, "performance": metrics}


def build_wheel(pipeline: Path, output: Path, meta: dict[str, Any], code: list[Path]) -> Path:
    """Build a wheel of a pipeline in a temporary folder and move it to `output`. Returns its path.

    Args:
        pipeline: the folder of the pipeline.
        output: gets the wheel, in one step.
        meta: the whole meta.json.
        code: files with the pipeline's own registered functions, which import nothing of this
            project.

    Raises:
        ValueError: "spacy package refuses ...", "the wheel could not be built ...", with the end
            of the output of the build.
    """
    output.mkdir(parents=True, exist_ok=True)
    work = sibling(output / meta["name"])
    remove(work)  # a killed run may have left it
    work.mkdir()
    try:
        source = _write_sources(pipeline, work, meta, code)
        wheel = _build(source)
        os.replace(wheel, output / wheel.name)
        return output / wheel.name
    finally:
        remove(work)


def _write_sources(pipeline: Path, work: Path, meta: dict[str, Any], code: list[Path]) -> Path:
    """Write the sources of the package into a folder of `work`. Returns that folder."""
    from spacy.cli.package import package

    write_json(work / "meta.json", meta)
    options: dict[str, Any] = {"create_sdist": False, "require_parent": True}
    try:
        package(pipeline, work, work / "meta.json", code, meta["name"], **options)
    except SystemExit:
        rule = "the name must be letters, digits and _"
        raise ValueError(f"spacy package refuses {pipeline}: see above; {rule}") from None
    return next(path for path in work.iterdir() if path.is_dir())


def _build(source: Path) -> Path:
    """Build the wheel of a package's sources. Returns its path."""
    environment = {**os.environ, "SOURCE_DATE_EPOCH": EPOCH}
    command = [sys.executable, "-c", BUILD]
    done = subprocess.run(command, cwd=source, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise ValueError(f"the wheel could not be built: {(done.stderr or done.stdout)[-500:]}")
    (wheel,) = (source / "dist").glob("*.whl")
    return wheel


@one_line_errors
def main(
    pipeline: Annotated[Path, typer.Argument(help="folder of the pipeline")],
    metrics: Annotated[Path, typer.Argument(help="its metrics.json")],
    output: Annotated[Path, typer.Argument(help="folder for the wheel")],
    name: Annotated[str, typer.Option(help="package name, without the language code")],
    version: Annotated[str, typer.Option(help="package version")] = "0.0.0",
    description: Annotated[str, typer.Option(help="one line")] = "",
    license: Annotated[str, typer.Option(help="licence of the pipeline")] = "",
    author: Annotated[str, typer.Option(help="who made it")] = "",
    url: Annotated[str, typer.Option(help="its web page")] = "",
    source: Annotated[str, typer.Option(help="what it was trained on")] = "",
    code: Annotated[
        list[str] | None,
        typer.Option(help="files with registered functions, comma-separated"),
    ] = None,
    requires: Annotated[
        list[str] | None, typer.Option(help="package that those files need; may be repeated")
    ] = None,
) -> None:
    """Package a trained pipeline as a wheel in one step."""
    import srsly

    if not metrics.exists():
        raise ValueError(f"{metrics} does not exist: run the evaluation first")
    details: dict[str, Any] = {"name": name, "version": version, "description": description}
    details |= {"license": license, "author": author, "url": url}
    details["sources"] = [{"name": source, "license": license}] if source else []
    if requires:
        details["requirements"] = requires
    meta = complete_meta(pipeline, srsly.read_json(metrics), details)
    wheel = build_wheel(pipeline, output, meta, split_paths(code))
    print(f"Packaged {wheel} ({wheel.stat().st_size / 1e6:.1f} MB): pip install {wheel}")


if __name__ == "__main__":
    typer.run(main)
