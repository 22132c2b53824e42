"""The names of the variants: in options and folders, and in tables."""

from pathlib import Path

BASELINE = "baseline"
NAMES = {
    "baseline": "tf-idf + linear (baseline)",
    "bow": "bag of words",
    "cnn": "CNN",
    "vectors": "CNN with static vectors",
    "keras": "Keras",
    "torch": "PyTorch",
    "trf": "transformer",
}
CONFIGS = Path("configs")


def config_of(variant: str) -> Path:
    """The training config of a variant."""
    return CONFIGS / f"textcat_{variant}.cfg"


def known_variants() -> list[str]:
    """The baseline, and the variants that have a config."""
    configs = sorted(CONFIGS.glob("textcat_*.cfg"))
    return [BASELINE, *(path.stem.removeprefix("textcat_") for path in configs)]


def parse_variants(names: str) -> list[str]:
    """The variants in a comma-separated string.

    Raises:
        ValueError: "vars.textcat.variants ...", if it names none, or one without a config.
    """
    known = known_variants()
    variants = [name.strip() for name in names.split(",") if name.strip()]
    if not variants or not set(variants) <= set(known):
        choices = ", ".join(known)
        raise ValueError(f"vars.textcat.variants is {names!r}: give some of {choices}")
    return variants
