#!/usr/bin/env bash
# The tensorboard package reads the event file of a run, and of one that was interrupted.
#   CASIMIR_TENSORBOARD_PYTHON=python tests/tensorboard_test.sh PROGRAM
# Without that python it is skipped (exit code 77); its packages: tests/reference/requirements_tensorboard.txt
set -eu
python=${CASIMIR_TENSORBOARD_PYTHON:-}
[ -n "$python" ] || { echo 'skipped: CASIMIR_TENSORBOARD_PYTHON names no python with tensorboard'; exit 77; }
program=$(realpath "$1")
reader=$(realpath "$(dirname "$0")/read_events.py")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

"$program" data make silicon --out train.xyz --frames 12 --repeat 1 1 1 >/dev/null
cat >run.yaml <<'YAML'
data: {train: train.xyz, valid_count: 4}
model: {hidden_irreps: 4x0e, l_max: 1, correlation: 1, radial_mlp: [4], r_max: 4.0}
task: {weights: {energy: 1, forces: 10, stress: 100}}
train: {epochs: 6, batch_size: 2, valid_every: 2}
YAML
"$program" train run.yaml --run-dir whole >/dev/null
code=0
"$program" train run.yaml --run-dir parts train.max_time=1e-6 >/dev/null || code=$?
[ "$code" -eq 75 ] || { echo "train.max_time=1e-6: exit code $code, not 75"; exit 1; }
"$program" train run.yaml --run-dir parts train.epochs=3 >/dev/null
head -c 200 whole/events.out.tfevents.0.casimir >>parts/events.out.tfevents.0.casimir
"$program" train run.yaml --run-dir parts >/dev/null
"$python" "$reader" whole parts
