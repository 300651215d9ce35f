"""Coverage-guided fuzzing of everything that reads label, transcript and table files, FER+ votes and wav headers.

    python -m pip install atheris==3.0.0      # not one of the locked packages
    python benchmarks/fuzz.py --seconds 600

The first byte of an input chooses the parser, the rest is the file. What counts as a finding: any exception but
UserError, an input that takes more than 10 seconds, or a path in a result that leads out of the corpus folder. The
property-based tests of the suite ask the same of random inputs; here the fuzzer follows the branches of the code.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
with atheris.instrument_imports(include=["extractors"]):
    from extractors.corpora import Listing, Utterance, iemocap, msp_improv, table
    from extractors.corpora.iemocap_lines import parse_transcript
    from extractors.corpora.judge import look
    from extractors.corpora.lines import split
    from extractors.corpora.sounds import Sound, sound
    from extractors.ferplus import read_votes
    from extractors.files import UserError
    from extractors.settings import Iemocap, MspImprov, Table

FOLDER = Path(tempfile.mkdtemp(prefix="fuzz"))
CLIP = "MSP-IMPROV-S01A-F01-S-FM01"
SEEDS = [
    b"\x00[6.3101 - 8.2401]\tSes01F_impro01_F000\tneu\t[2.5000, 2.5000, 2.5000]\nC-E2:\tNeutral;\t()\n"
    b"A-E3:\tval 3; act 2; dom  ;\t()\n\n",
    b"\x01Ses01F_impro01_F000 [006.3101-008.2401]: [LAUGHTER] Hello.\nM: Okay.\n"
    b"Ses03F_impro04_MXX0 [044.87-045.51]: \n",
    b"\x02UTD-IMPROV-S01A-F01-S-FM01.avi; N; A:3.400000; V:3.000000; D:NaN ; N:3.600000;\n"
    b"W_77ab; Happy; bored; a bit; A:4.0; V:4.0; D:NaN; N:3.0;\n\n",
    b"\x03Hi.\xe9\n",
    b"\x04utterance,session,speaker,label,text,audio,video,start,end,crop\n"
    b'a,1,x,sad,"so, what",a.wav,../v.avi,0.5,1,left\nb,2,y,joy,,a.wav,v.avi,,,\n',
    b"\x05Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF\n"
    b"Training,fer0000000.png,4,0,0,1,3,2,0,0,0,0\nPublicTest,,0,0,0,0,0,0,0,0,0,10\n",
    b"\x06RIFF\x44\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x80\x3e\x00\x00\x00\x7d\x00\x00\x02\x00\x10\x00"
    b"data\x20\x00\x00\x00" + bytes(32),
]


def labels(content: bytes) -> Listing | None:
    path = FOLDER / "iemocap/Session1/dialog/EmoEvaluation/Ses01F_impro01.txt"
    path.write_bytes(content)
    return iemocap.read(Iemocap(type="iemocap", root=str(FOLDER / "iemocap")), ["1"])


def transcript(content: bytes) -> Listing | None:
    for item in parse_transcript(split(content), "Ses01F_impro01"):
        assert not isinstance(item, tuple) or "\n" not in item[1]
    return None


def evaluation(content: bytes) -> Listing | None:
    (FOLDER / "msp/Evaluation.txt").write_bytes(content)
    return msp_improv.read(MspImprov(type="msp_improv", root=str(FOLDER / "msp")), ["1"])


def words(content: bytes) -> Listing | None:
    (FOLDER / f"spoken/{CLIP}.txt").write_bytes(content)
    return msp_improv.read(MspImprov(type="msp_improv", root=str(FOLDER / "spoken")), ["1"])


def rows(content: bytes) -> Listing | None:
    (FOLDER / "table/utterances.csv").write_bytes(content)
    corpus = Table(type="table", root=str(FOLDER / "table"))
    return table.read(corpus, table.sessions(corpus)) if table.classes(corpus) else None


def votes(content: bytes) -> Listing | None:
    (FOLDER / "votes.csv").write_bytes(content)
    read_votes(FOLDER / "votes.csv")
    return None


def header(content: bytes) -> Listing | None:
    (FOLDER / "a.wav").write_bytes(content)
    found = sound(FOLDER / "a.wav")
    assert found.problem or 0 <= found.seconds < 1e9
    return None


WORDS = (
    "[1.0 - 2.0]\t", "Ses01F_impro01_F000", "\tneu\t", "A-E3:\tval ; act 2; dom  ;", "XX0 [1-2]:", "UTD-IMPROV-",
    "MSP-IMPROV-S01A-F01-S-FM01.avi; N; A:3.4; V:3.0; D:NaN ; N:3.6;", "W_1; Happy; ", "\n\n", "\r\n", ";", "../",
    "/etc/", "utterance,session,speaker,label,text,audio,video,start,end,crop,dialogue\n", '"', '""', ",", ",,",
    "1e9", "left",
)  # fmt: skip
TARGETS: list[Callable[[bytes], Listing | None]] = [labels, transcript, evaluation, words, rows, votes, header]
ROOTS = [FOLDER / name for name in ("iemocap", "iemocap", "msp", "spoken", "table")]


def paths_stay(root: Path, found: list[Utterance]) -> None:
    """Whatever `judge` would open lies below the root."""

    def watch(path: Path) -> Sound:
        assert path.resolve().is_relative_to(root.resolve()), path
        return Sound()

    look(root, [path for row in found for path in (row.audio, row.video)], watch, Sound, lambda items, *_: items, "")


def one(content: bytes) -> None:
    number = content[0] % len(TARGETS) if content else 0
    try:
        listing = TARGETS[number](content[1:])
    except UserError as error:
        if "\n" in str(error):
            raise ValueError("an error of several lines") from error
        return
    if listing:
        paths_stay(ROOTS[number], [*listing.rows, *listing.passed_over])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=600)
    args = parser.parse_args()
    for path in ("iemocap/Session1/dialog/EmoEvaluation", "msp", "spoken", "table", "seeds"):
        (FOLDER / path).mkdir(parents=True)
    (FOLDER / "spoken/Evaluation.txt").write_text(
        f"UTD{CLIP[3:]}.avi; N; A:3.4; V:3.0; D:3.0 ; N:3.6;\nW_77ab; Happy; ; A:4.0; V:4.0; D:NaN; N:3.0;\n\n"
    )
    for number, seed in enumerate(SEEDS):
        (FOLDER / f"seeds/{number}").write_bytes(seed)
    lines = ("".join(f"\\x{byte:02x}" for byte in word.encode()) for word in WORDS)
    (FOLDER / "words").write_text("".join(f'"{line}"\n' for line in lines))
    options = [
        f"-dict={FOLDER}/words",
        f"-max_total_time={args.seconds}",
        "-timeout=10",
        "-max_len=4096",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], *options, f"-artifact_prefix={FOLDER}/", str(FOLDER / "seeds")], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
