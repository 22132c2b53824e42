"""Package a pipeline as a wheel: what `spacy package` makes, built without a network, and moved into place whole."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import srsly
import typer
from spacy.cli.package import package as spacy_package

from scripts.files import one_line_errors, remove, sibling, split_paths, write_json

EPOCH = "315532800"  # 1980-01-01, the first date that a zip file can hold: same input, same bytes


def complete_meta(pipeline: Path, metrics: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """The pipeline's meta.json with what the packager says of it and how well it scores.

    Args:
        pipeline: the folder of the pipeline.
        metrics: what goes under "performance".
        given: name, version, description, license, author, url, sources.

    Raises:
        ValueError: "... is no pipeline ...", when the folder has no meta.json.
    """
    path = pipeline / "meta.json"
    if not path.exists():
        raise ValueError(f"{pipeline} is no pipeline: run the training first")
    return {**srsly.read_json(path), **given, "performance": metrics}


def build_wheel(pipeline: Path, output: Path, meta: dict[str, Any], code: list[Path]) -> Path:
    """Build a wheel of a pipeline in a temporary folder and move it to `output`. Returns its path.

    Args:
        pipeline: the folder of the pipeline.
        output: gets the wheel, in one step.
        meta: the whole meta.json.
        code: files with the pipeline's own registered functions; each imports nothing of this project.

    Raises:
        ValueError: "the wheel could not be built ...", with the end of what the build said.
    """
    output.mkdir(parents=True, exist_ok=True)
    work = sibling(output / meta["name"])
    remove(work)  # what a killed run left
    work.mkdir()
    try:
        write_json(work / "meta.json", meta)
        try:
            spacy_package(
                pipeline,
                work,
                meta_path=work / "meta.json",
                name=meta["name"],
                code_paths=code,
                create_sdist=False,
                require_parent=True,
            )
        except SystemExit:
            raise ValueError(
                f"spacy package refuses {pipeline}: see above; the name must be letters, digits and _"
            ) from None
        source = next(path for path in work.iterdir() if path.is_dir())
        command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", str(source)]
        built = subprocess.run(
            command, env={**os.environ, "SOURCE_DATE_EPOCH": EPOCH}, capture_output=True, text=True
        )
        if built.returncode:
            raise ValueError(
                f"the wheel could not be built: {(built.stderr or built.stdout)[-500:]}"
            )
        (wheel,) = (source / "dist").glob("*.whl")
        os.replace(wheel, output / wheel.name)
        return output / wheel.name
    finally:
        remove(work)


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
    url: Annotated[str, typer.Option(help="where it lives")] = "",
    source: Annotated[str, typer.Option(help="what it was trained on")] = "",
    code: Annotated[
        list[str] | None,
        typer.Option(help="file with registered functions; more apart by commas, or given again"),
    ] = None,
    requires: Annotated[
        list[str] | None, typer.Option(help="package that those files need; give it again for more")
    ] = None,
) -> None:
    """Package a trained pipeline as a wheel in one step."""
    if not metrics.exists():
        raise ValueError(f"{metrics} does not exist: run the evaluation first")
    given: dict[str, Any] = {
        "name": name,
        "version": version,
        "description": description,
        "license": license,
        "author": author,
    }
    given |= {"url": url, "sources": [{"name": source, "license": license}] if source else []}
    given |= {"requirements": requires} if requires else {}
    wheel = build_wheel(
        pipeline,
        output,
        complete_meta(pipeline, srsly.read_json(metrics), given),
        split_paths(code),
    )
    print(f"Packaged {wheel} ({wheel.stat().st_size / 1e6:.1f} MB): pip install {wheel}")


if __name__ == "__main__":
    typer.run(main)
