"""Which tokens that no pattern matched may well be entities all the same.

Patterns name a part of the entities. To train with everything else as "O" teaches the model that the rest are none. A token
that looks like a name is left unknown instead (spaCy's missing annotation, from which the NER learns nothing).
"""

from spacy.tokens import Doc, Token

ENDS_SENTENCE = frozenset('.!?:;>*-"“\n')


def looks_like_name(token: Token) -> bool:
    """Whether a token is capitalised in mid-sentence, or mixes letters and digits."""
    text = token.text
    if any(map(str.isdigit, text)) and any(map(str.isalpha, text)):
        return True
    if not text[0].isupper() or len(text) == 1 or token.is_stop:
        return False
    return token.i > 0 and token.nbor(-1).text[-1] not in ENDS_SENTENCE


def mark_doubtful(doc: Doc) -> int:
    """Make the unmatched tokens of a Doc that look like names unknown. Returns how many."""
    doubtful = [
        doc[token.i : token.i + 1] for token in doc if not token.ent_type and looks_like_name(token)
    ]
    doc.set_ents(list(doc.ents), missing=doubtful, default="outside")
    return len(doubtful)
