"""Sentences whose words carry an emotion, or none."""

from __future__ import annotations

import numpy as np

OPENERS = {
    "ang": ("Stop it.", "Damn.", "How dare you."),
    "hap": ("Wow.", "Hooray.", "Oh yes."),
    "neu": ("Okay.", "Right.", "Well."),
    "sad": ("Sorry.", "Alas.", "Oh no."),
}
ADJECTIVES = {
    "ang": ("furious", "rude", "unfair"),
    "hap": ("wonderful", "lovely", "great"),
    "neu": ("regular", "usual", "plain"),
    "sad": ("lonely", "sad", "hopeless"),
}
NOUNS = {
    "ang": ("lie", "mess", "insult"),
    "hap": ("party", "gift", "wedding"),
    "neu": ("form", "schedule", "address"),
    "sad": ("funeral", "grave", "illness"),
}
THINGS = ("house", "street", "letter", "morning", "garden", "story", "window", "road", "picture", "evening")
EMOTIONAL = (
    "{opener}  The {thing} was {adjective}.",
    "This {thing} is a {adjective} {noun}.",
    "{opener}  A {noun} in the {thing}.",
    "Such a {adjective} {noun}.",
    "A {noun}, {adjective} as ever.",
)
FAINT = ("The {thing} and that {noun}.", "It was a {adjective} {thing} there.", "{opener}  I saw the {thing}.")
BLANK = (
    "I saw the {thing} and that {other}.",
    "It was in the {thing}, you know.",
    "This is the {thing} of the {other}.",
)
TAGS = ("[LAUGHTER]", "[BREATHING]", "[GARBAGE]")
TAG_SHARE = 0.05


def sentence(emotion: str, strength: float, random: np.random.Generator) -> str:
    """A sentence about `emotion`: two telling words from strength 0.6 on, one from 0.3 on, none below.

    One sentence in twenty opens with a transcriber's tag such as `[LAUGHTER]`, whatever the emotion.
    """
    templates = EMOTIONAL if strength >= 0.6 else FAINT if strength >= 0.3 else BLANK
    thing, other = random.choice(THINGS, 2, replace=False)
    text = str(random.choice(templates)).format(
        opener=random.choice(OPENERS[emotion]),
        adjective=random.choice(ADJECTIVES[emotion]),
        noun=random.choice(NOUNS[emotion]),
        thing=thing,
        other=other,
    )
    return f"{random.choice(TAGS)} {text}" if random.random() < TAG_SHARE else text


def vocabulary() -> list[str]:
    """Every lower-case word and punctuation mark that `sentence` can use, sorted."""
    phrases = [*EMOTIONAL, *FAINT, *BLANK, *TAGS, *THINGS]
    for group in (OPENERS, ADJECTIVES, NOUNS):
        phrases += [word for words in group.values() for word in words]
    text = " ".join(phrases).lower()
    for mark in "{}":
        text = text.replace(mark, " ")
    for mark in ".,[]":
        text = text.replace(mark, f" {mark} ")
    return sorted(set(text.split()))
