"""What must hold of project.yml, the pages and the code, whatever workflow is added."""

import ast
import importlib
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from weasel.util.config import load_project_config

from scripts import deps
from scripts.fork.selection import Selection, noun_of, used_variables, workflow_names
from scripts.fork.words import dropped_words
from scripts.overrides import OPTIONS, var_names
from tests.conftest import PROJECT as RAW
from tests.conftest import ROOT, weasel

PROJECT = load_project_config(ROOT)
COMMANDS = {command["name"]: command for command in PROJECT["commands"]}
WORKFLOWS = workflow_names(PROJECT)
NOUNS = list(dict.fromkeys(map(noun_of, WORKFLOWS)))
SCRIPTS = sorted((ROOT / "scripts").rglob("*.py"))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
FORK = ROOT / "scripts" / "fork"  # explains itself with names of workflows
HEAVY = {"spacy", "numpy", "matplotlib", "sklearn", "scipy", "tensorflow", "torch", "pandas"}
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
MAX_BODY = 60  # lines of a function
MAX_PROJECT_LINES = 1_600
each_command = pytest.mark.parametrize("command", PROJECT["commands"], ids=list(COMMANDS))
each_script = pytest.mark.parametrize("file", SCRIPTS, ids=lambda path: str(path.relative_to(ROOT)))
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)

UNCLEAR = re.compile(
    r"\bapart by (?:commas|\|)|\bto (?:train on|choose by|score by), |\bthe bar for\b"
    r"|(?<!here )\bis no (?!longer|more|need|way)|\bmend(?:s|ed)?\b|\bbeside\b"
    r"|that gensim carries|\bdoubt(?:ful)?\b|\btaught\b|pass --skip-bad",
    re.IGNORECASE,
)


# project.yml


@each_command
def test_command_has_help_and_keys_that_weasel_knows(command: dict[str, Any]) -> None:
    assert len(command["help"]) > 20
    known = {"name", "help", "script", "deps", "outputs", "outputs_no_cache", "no_skip"}
    assert set(command) <= known
    always = command.get("outputs") or command.get("no_skip")
    assert always, "without outputs a command is never skipped: say so by no_skip"


@each_command
def test_scripts_are_python_modules_without_shell(command: dict[str, Any]) -> None:
    for line in command["script"]:
        words = shlex.split(line)
        assert words[:2] == ["python", "-m"] and not {"|", ">", "&&", ";"} & set(words)


@each_command
def test_deps_are_whole(command: dict[str, Any]) -> None:
    """Each dep is there or is made by an earlier command; an entry is one path.

    Two bare variables side by side in a list become one entry (a trap of the config system).
    """
    outputs: set[str] = set()
    for other in PROJECT["commands"]:
        outputs |= set(other.get("outputs", []))
    outputs |= {asset["dest"] for asset in PROJECT["assets"] if asset.get("url")}
    for dep in command.get("deps", []):
        assert ", " not in dep, "two bare variables stand side by side in the list"
        assert dep in outputs or (ROOT / dep).exists(), f"{dep} is neither there nor made"


def test_generated_parts_are_up_to_date() -> None:
    path = ROOT / "project.yml"
    assert deps.generated(path) == path.read_text("utf8"), "run python -m scripts.deps"


def test_project_file_can_be_read_by_a_person() -> None:
    assert len((ROOT / "project.yml").read_text("utf8").splitlines()) <= MAX_PROJECT_LINES


def test_every_var_is_used() -> None:
    used = used_variables(RAW, COMMANDS)
    assert [name for name in var_names(RAW["vars"]) if name not in used] == []
    options = [f"vars.{OPTIONS}.{key}" for key in RAW["vars"].get(OPTIONS, {})]
    assert [name for name in options if name not in used] == []


def test_renamed_vars_lead_to_vars() -> None:
    known = var_names(RAW["vars"])
    for old, new in RAW.get("renamed_vars", {}).items():
        assert new in known and old not in known


def test_workflows_name_commands_and_are_documented() -> None:
    for name in WORKFLOWS:
        steps = PROJECT["workflows"][name]
        noun = noun_of(name)
        assert set(steps) <= set(COMMANDS) and steps[0] == "check", name
        assert (ROOT / "docs" / f"{noun}.md").exists() and (ROOT / "assets" / noun).is_dir()


def test_extras_are_requirements_files_that_name_their_workflows() -> None:
    users: dict[str, list[str]] = {}
    for name, extras in RAW.get("extras", {}).items():
        assert name in WORKFLOWS or name in var_names(RAW["vars"])
        for extra in extras:
            users.setdefault(extra, []).append(name)
    tests = (ROOT / "requirements-test.txt").read_text("utf8")
    for extra, names in users.items():
        first = (ROOT / f"requirements-{extra}.txt").read_text("utf8").splitlines()[0]
        assert f"-r requirements-{extra}.txt" in tests
        if names[0] in WORKFLOWS:
            assert first == f"# For workflows: {', '.join(names)}"


def test_assets_are_there_or_extra_and_say_what_they_are() -> None:
    for asset in PROJECT["assets"]:
        assert asset["description"]
        if asset.get("url"):
            said = re.search(r"\d (MB|GB)", asset["description"])
            assert asset["extra"] is True and (said or isinstance(asset["size"], int))
        else:
            assert (ROOT / asset["dest"]).is_file()


def test_top_level_keys_are_known() -> None:
    """weasel ignores others without a word; ours are renamed_vars, extras and the guards."""
    known = {"title", "description", "vars", "env", "directories", "assets", "workflows"}
    known |= {"commands", "renamed_vars", "extras"}
    assert {key for key in RAW if not key.endswith(deps.GUARD)} <= known


# Overrides


@pytest.mark.parametrize("value", ['a "new" name', "from 5 $", "a $x b"])
def test_characters_that_weasel_cannot_take_are_one_line(value: str) -> None:
    done = weasel(ROOT, "check", ".", "--vars.workflow", value, check=False)
    assert done.returncode == 1 and "Traceback" not in done.stdout + done.stderr
    last = done.stdout.strip().splitlines()[-1]
    assert "vars cannot hold a double quote or a dollar sign" in last and len(last) < 150


def test_misspelt_var_is_refused_before_any_work() -> None:
    done = weasel(ROOT, "all", ".", "--vars.workflw", "x", check=False)
    assert done.returncode == 1
    assert done.stderr == "Error: no var called vars.workflw: did you mean vars.workflow?\n"
    assert [line for line in done.stdout.splitlines() if "Running command" in line][1:] == []


def test_misspelt_var_is_refused_by_a_single_command_and_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done = weasel(ROOT, "report", ".", "--vars.worklow=x", check=False)
    assert done.returncode == 1 and "did you mean vars.workflow?" in done.stderr
    monkeypatch.setenv("WEASEL_CONFIG_OVERRIDES", "--vars.worklow x")
    done = weasel(ROOT, "check", check=False)
    assert done.returncode == 1 and "did you mean vars.workflow?" in done.stderr


def test_old_name_of_a_var_is_refused_with_the_new_one() -> None:
    for old, new in list(RAW.get("renamed_vars", {}).items())[:1]:
        done = weasel(ROOT, "check", ".", f"--{old}", "x", check=False)
        assert done.stderr == f"Error: {old} is now called {new}: use --{new}\n"


def test_backslash_in_a_var_is_refused() -> None:
    done = weasel(ROOT, "check", ".", "--vars.workflow", r"data\texts", check=False)
    assert done.stderr.startswith("Error: vars.workflow holds a backslash, which weasel would drop")


def test_right_vars_pass_and_unknown_workflow_is_one_line() -> None:
    assert weasel(ROOT, "check", ".", "--vars.workflow", "it's me").returncode == 0
    done = weasel(ROOT, "nothing", ".", check=False)
    assert done.returncode == 1 and "Can't find command or workflow 'nothing'" in done.stdout


def test_spacy_project_runs_the_same_commands() -> None:
    command = [
        sys.executable,
        "-m",
        "spacy",
        "project",
        "run",
        "check",
        ".",
        "--vars.workflov",
        "x",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and "did you mean vars.workflow?" in done.stderr


# Imports


def noun_of_file(file: Path) -> str | None:
    """The workflow whose folder holds a script, or None for a shared module."""
    parts = file.relative_to(ROOT / "scripts").parts
    if parts[0] == "components":
        return next((noun for noun in NOUNS if noun in file.stem.split("_")), None)
    return parts[0] if len(parts) > 1 and parts[0] in NOUNS else None


@each_script
def test_no_workflow_imports_another(file: Path) -> None:
    direct = set(deps._imports(ast.parse(file.read_text("utf8")), ROOT))
    others = {noun_of_file(path) for path in direct} - {None, noun_of_file(file)}
    assert not others, f"{file.relative_to(ROOT)} imports {others}: share a module instead"


def test_shared_modules_name_no_workflow() -> None:
    everything = Selection(
        requested=[],
        workflows=[],
        commands=[],
        variables=set(),
        nouns=[],
        extras=[],
        dropped_workflows=WORKFLOWS,
        dropped_commands=[name for name in COMMANDS if noun_of(name) in NOUNS],
        dropped_nouns=NOUNS,
        dropped_extras=[],
        dropped_variables=[],
        dropped_packages=[],
    )
    names = dropped_words(everything)
    named = []
    for file in SCRIPTS:
        if noun_of_file(file) is None and not file.is_relative_to(FORK):
            lines = file.read_text("utf8").splitlines()
            hits = [(number, names.search(line)) for number, line in enumerate(lines, start=1)]
            named += [f"{file.relative_to(ROOT)}:{number} {hit[0]}" for number, hit in hits if hit]
    assert named == []


def test_components_import_nothing_of_the_project() -> None:
    for file in (ROOT / "scripts" / "components").glob("*.py"):
        assert deps.imported_files(file) == {file}


@pytest.mark.parametrize("noun", NOUNS)
def test_help_of_a_workflow_imports_nothing_heavy(noun: str) -> None:
    program = f"import sys, scripts.{noun}.__main__; print(*sys.modules)"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert not HEAVY & set(done.stdout.split())


# Code


@each_script
def test_no_comprehension_stands_inside_another(file: Path) -> None:
    for node in ast.walk(ast.parse(file.read_text("utf8"))):
        if isinstance(node, COMPREHENSIONS):
            inner = [part for part in ast.walk(node) if isinstance(part, COMPREHENSIONS)]
            assert len(inner) == 1 and len(node.generators) == 1, f"line {node.lineno}"


@each_script
def test_functions_do_one_job(file: Path) -> None:
    for node in ast.walk(ast.parse(file.read_text("utf8"))):
        if isinstance(node, ast.FunctionDef):
            first = node.body[1] if len(node.body) > 1 and ast.get_docstring(node) else node.body[0]
            length = (node.body[-1].end_lineno or 0) - first.lineno + 1
            assert length <= MAX_BODY, f"{node.name} has {length} lines: take it apart"


# Words


def texts_of_code(file: Path) -> Iterator[str]:
    """The strings of a module, whole f-strings with {} for what stands in them; docstrings too."""
    inside: set[int] = set()
    for node in ast.walk(ast.parse(file.read_text("utf8"))):
        if isinstance(node, ast.JoinedStr):
            pieces = [part for part in node.values if isinstance(part, ast.Constant)]
            inside |= {id(part) for part in pieces}
            yield "{}".join(str(part.value) for part in pieces)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield "" if id(node) in inside else node.value


def check_names(text: str, where: str) -> None:
    """Every var, command, workflow, module and requirements file that a text names is there."""
    variables = {*var_names(RAW["vars"]), *(f"vars.{noun}" for noun in RAW["vars"])}
    for name in re.findall(r"(?<![\w.])(vars(?:\.[a-z_]+)+)", text):
        assert name in variables, f"{where}: {name}"
    for name in re.findall(r"(?:weasel|project) run ([a-z][\w-]*[a-z])", text):
        assert name in COMMANDS or name in PROJECT["workflows"], f"{where}: weasel run {name}"
    for module in re.findall(r"python -m ((?:scripts|benchmarks)(?:\.[a-z_]+)*)", text):
        path = ROOT / module.replace(".", "/")
        assert path.is_dir() or path.with_suffix(".py").exists(), f"{where}: {module}"
    for name in re.findall(r"requirements-[a-z]+\.txt", text):
        assert (ROOT / name).exists(), f"{where}: {name}"


@each_script
def test_what_messages_name_exists(file: Path) -> None:
    for text in texts_of_code(file):
        check_names(text, str(file.relative_to(ROOT)))


@each_page
def test_what_pages_name_exists(page: Path) -> None:
    text = page.read_text("utf8").replace("\\\n", " ")
    check_names(text, page.name)
    late = re.search(r"weasel run [\w-]+ --vars", text)
    assert not late, f"{page.name}: overrides need the folder first: {late}"


@each_page
def test_files_that_pages_link_to_exist(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text("utf8")):
        assert target.startswith("http") or (page.parent / target).exists(), target


@each_page
def test_pages_are_in_plain_english(page: Path) -> None:
    unclear = [line for line in page.read_text("utf8").splitlines() if UNCLEAR.search(line)]
    assert unclear == []


@each_script
def test_code_is_in_plain_english(file: Path) -> None:
    unclear = [line for line in file.read_text("utf8").splitlines() if UNCLEAR.search(line)]
    assert unclear == []


def test_project_file_is_in_plain_english() -> None:
    lines = (ROOT / "project.yml").read_text("utf8").splitlines()
    old = [f"  {name}: {new}" for name, new in RAW.get("renamed_vars", {}).items()]
    assert [line for line in lines if UNCLEAR.search(line) and line not in old] == []


def test_docs_explain_every_var_of_their_workflow() -> None:
    for noun in NOUNS:
        page = (ROOT / "docs" / f"{noun}.md").read_text("utf8")
        names = var_names(RAW["vars"].get(noun, {}), f"vars.{noun}")
        assert [name for name in names if f"`{name}`" not in page] == []


def test_the_generated_part_of_the_readme_is_up_to_date(tmp_path: Path) -> None:
    shutil.copy(ROOT / "project.yml", tmp_path)
    shutil.copy(ROOT / "README.md", tmp_path)
    for asset in PROJECT["assets"]:
        if not asset.get("url"):
            (tmp_path / asset["dest"]).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / asset["dest"], tmp_path / asset["dest"])
    command = [sys.executable, "-m", "weasel", "document", "--output", "README.md"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    made = (tmp_path / "README.md").read_text("utf8")
    assert made == (ROOT / "README.md").read_text("utf8"), "run weasel document --output README.md"


def test_table_of_the_readme_has_every_workflow() -> None:
    rows = re.findall(r"(?m)^\| (`.*?) \|.*\[docs/", (ROOT / "README.md").read_text("utf8"))
    named = re.findall(r"`([\w-]+)`", " ".join(rows))
    assert [name for name in WORKFLOWS if name not in named] == []


def test_report_reads_every_workflow_that_has_figures() -> None:
    for file in (ROOT / "scripts").glob("*/figures.py"):
        module = importlib.import_module(f"scripts.{file.parent.name}.figures")
        assert noun_of_file(file) is not None and module.FIGURES
