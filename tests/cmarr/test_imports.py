from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_stage_2_imports_neither_encoders_nor_decoders() -> None:
    code = (
        "import sys, cmarr.predict, cmarr.train, cmarr.folds, cmarr.figures\n"
        "print([m for m in ('transformers', 'cv2', 'av', 'facenet_pytorch', 'torchaudio') if m in sys.modules])"
    )
    job = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert job.stdout == "[]\n"
