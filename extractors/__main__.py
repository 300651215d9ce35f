"""`python -m extractors <verb>`: every job of stage 1."""

from __future__ import annotations

import sys

from extractors.console import run

VERBS = {
    "fetch": "get the encoders of a configuration from the Hugging Face hub, once",
    "convert": "make model.safetensors out of the pytorch_model.bin of a local encoder",
    "check": "compare a corpus folder with the release, and look at its media",
    "manifest": "list the utterances of a corpus, kept and rejected",
    "text": "encode the transcripts of one session",
    "speech": "encode the speech of one session",
    "video": "find and encode the faces of one session",
    "pack": "join the shards of a modality to one feature store",
    "fsck": "verify every number and checksum of feature stores",
    "show": "print and draw what is in feature stores",
    "plan": "estimate time and disk of the features of a configuration",
    "ferplus": "count the faces of FER+ per target mode and compare with the published sizes",
    "denseface": "train the face encoder on FER+, evaluate it, draw what it sees",
    "demo-corpus": "build the synthetic demo corpus and its small encoders",
}

if __name__ == "__main__":
    sys.exit(run("extractors", VERBS))
