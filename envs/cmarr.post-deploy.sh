#!/usr/bin/env bash
# Snakemake runs this inside the new conda environment; PYTHONPATH is the folder of the project.
set -euo pipefail
python -m pip install --quiet --no-deps --require-hashes -r "$PYTHONPATH/envs/requirements.lock"
