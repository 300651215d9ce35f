"""How long the label parse and the whole check take on complete look-alike releases.

    python benchmarks/check.py --out /tmp/lookalikes

Writes both trees at full size (10,039 utterances in 151 dialogues; 8,438 clips) with made-up labels and words, and puts
media into them: hard links to one wav of 4.5 s and one short avi, so that all sound is heard 10,039 and 8,438 times but
from the cache of the file system. A cold disk adds its own time for each file.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import soundfile

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from extractors.corpora import Listing, Module, iemocap, msp_improv
from extractors.settings import AnyCorpus, Iemocap, MspImprov
from tests.extractors.corpora.iemocap_tree import write_release as write_iemocap
from tests.extractors.corpora.msp_tree import release_tree as write_msp_improv


def media(folder: Path) -> tuple[Path, Path]:
    """A wav of 4.5 s at 16 kHz, and an avi of 20 min with a picture a second (720 x 480) and a sound track."""
    wav, avi = folder / "a.wav", folder / "a.avi"
    soundfile.write(wav, 0.1 * np.random.default_rng(0).normal(size=72_000), 16_000, "PCM_16")
    with av.open(str(avi), "w", format="avi") as out:
        pictures = out.add_stream("mpeg4", rate=1)
        pictures.width, pictures.height, pictures.pix_fmt = 720, 480, "yuv420p"
        track = out.add_stream("pcm_s16le", rate=8_000, layout="mono")
        grey = av.VideoFrame.from_ndarray(np.full((480, 720, 3), 128, np.uint8), format="rgb24")
        for second in range(1200):
            grey.pts = second
            out.mux(pictures.encode(grey))
            block = av.AudioFrame.from_ndarray(np.zeros((1, 8_000), np.int16), format="s16", layout="mono")
            block.sample_rate, block.pts = 8_000, 8_000 * second
            out.mux(track.encode(block))
        for stream in (pictures, track):
            out.mux(stream.encode(None))
    return wav, avi


def furnish(root: Path, module: Module, corpus: AnyCorpus, wav: Path, avi: Path) -> Listing:
    """Gives every labelled utterance its media."""
    listing = module.read(corpus, module.sessions(corpus))
    for row in [*listing.rows, *listing.passed_over]:
        folder, clip = row.utterance.split("-")[2:4] if corpus.type == "msp_improv" else ("", "")
        where = f"session{row.session}/{folder}/{row.utterance}" if clip else ""
        for source, path in ((wav, row.audio or f"Audio/{where}.wav"), (avi, row.video or f"Video/{where}.avi")):
            target = root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                os.link(source, target)
    return listing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    out = parser.parse_args().out.absolute()
    out.mkdir(parents=True)
    wav, avi = media(out)
    for name, module, corpus, write in (
        ("iemocap", iemocap, Iemocap(type="iemocap", root=str(out / "iemocap")), write_iemocap),
        ("msp_improv", msp_improv, MspImprov(type="msp_improv", root=str(out / "msp_improv")), write_msp_improv),
    ):
        root = Path(corpus.root)
        write(root)
        begin = time.monotonic()
        module.read(corpus, module.sessions(corpus))
        print(f"{name}: labels and transcripts read in {time.monotonic() - begin:.1f} s", flush=True)
        furnish(root, module, corpus, wav, avi)
        begin = time.monotonic()
        subprocess.run([sys.executable, "-m", "extractors", "check", root], check=True)
        print(f"{name}: check of labels and media took {time.monotonic() - begin:.1f} s", flush=True)


if __name__ == "__main__":
    main()
