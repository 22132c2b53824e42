"""Tokens that no pattern matched and that may be entities all the same.

Patterns name only some of the entities. Training with every other token as "O" teaches the model
that the rest are not entities. A token that looks like a name is left unknown instead: spaCy calls
that a missing annotation, and the NER learns nothing from it.
"""

from spacy.tokens import Doc, Token

SENTENCE_ENDS = frozenset('.!?:;>*-"“\n')


def looks_like_name(token: Token) -> bool:
    """Whether a token is capitalised in mid-sentence, or mixes letters and digits."""
    text = token.text
    if any(map(str.isdigit, text)) and any(map(str.isalpha, text)):
        return True
    if not text[0].isupper() or len(text) == 1 or token.is_stop:
        return False
    return token.i > 0 and token.nbor(-1).text[-1] not in SENTENCE_ENDS


def mask_ambiguous(doc: Doc) -> int:
    """Make the unmatched tokens of a Doc that look like names unknown. Returns how many."""
    ambiguous = [token for token in doc if not token.ent_type and looks_like_name(token)]
    missing = [doc[token.i : token.i + 1] for token in ambiguous]
    doc.set_ents(list(doc.ents), missing=missing, default="outside")
    return len(missing)
