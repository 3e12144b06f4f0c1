#!/usr/bin/env bash
# A training that is interrupted, or runs on other numbers of threads, ends with the same bytes:
# killed with SIGKILL at random moments, each time in a fresh process; stopped by signals; with 1, 2
# and 4 threads.
#   tests/kill_resume.sh PROGRAM [KILLS] [SEED]
# 50 kills take half a minute; 1000 are for a quiet hour.
set -eu
program=$(realpath "$1")
kills=${2:-50}
RANDOM=${3:-1}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

"$program" data make silicon --out train.xyz --frames 24 --seed 3 >/dev/null
cat >run.yaml <<'YAML'
seed: 5
data: {train: train.xyz, valid_count: 4}
model: {hidden_irreps: 8x0e+8x1o, l_max: 2, correlation: 2, radial_mlp: [16], r_max: 4.0}
task: {weights: {energy: 1, forces: 10, stress: 100}}
train:
  epochs: 6
  batch_size: 2
  save_every_steps: 1
  optimizer: {lr: 0.005}
  schedule: {kind: plateau, patience: 1, factor: 0.5}
  stage_two: {start_epoch: 4}
YAML

# An event file without what the clock decides: records are length, checksum, wall time (after one
# byte), the rest, checksum.
events() {
  od -An -v -w1 -tu1 "$1"/events.out.tfevents.* | awk '
    { byte[NR] = $1 }
    END {
      for (at = 1; at <= NR; at += 16 + size) {
        size = byte[at] + 256 * byte[at + 1]
        print "record", size
        for (i = at + 21; i < at + 12 + size; i++) print byte[i]
      }
      if (at != NR + 1) print "cut short"
    }'
}
# same RUN: it ended with the bytes of the uninterrupted one.
same() {
  for file in model.safetensors metrics.jsonl lcurve.csv; do cmp "whole/$file" "$1/$file" || return 1; done
  cmp <(events whole) <(events "$1") || { echo "in the event file of $1"; return 1; }
}

milliseconds() { echo $(($(date +%s%N) / 1000000)); }
begin=$(milliseconds)
"$program" train run.yaml --run-dir whole >whole.log
whole=$(($(milliseconds) - begin))
records=$(events whole | grep -c '^record')
[ "$records" -eq 7 ] || { echo "$records records in whole's event file, not a start and 6 epochs"; exit 1; }
steps=$(tail -n 1 whole/metrics.jsonl | sed 's/.*"step": \([0-9]*\).*/\1/')
begin=$(milliseconds)
"$program" train run.yaml --run-dir whole >>whole.log
startup=$(($(milliseconds) - begin)) # a finished training only starts up
window=$((startup + 2 * (whole - startup) / steps + 1))
echo "uninterrupted: $steps steps in $whole ms, start-up $startup ms; kills within $window ms of a start"

# Killed within the first two steps or so of every process, so that one run takes many kills; a run that ends before is
# followed by another. Each must end like the first. The window follows the machine, whose speed changes: it grows with
# each kill and shrinks when a training ends before it.
done=0 runs=0 resumes=0
while [ "$done" -lt "$kills" ]; do
  runs=$((runs + 1))
  run=killed$runs
  while true; do
    if [ "$done" -ge "$kills" ]; then
      "$program" train run.yaml --run-dir "$run" >>"$run.log"
      break
    fi
    "$program" train run.yaml --run-dir "$run" >>"$run.log" &
    process=$!
    wait_ms=$((RANDOM * window / 32768))
    sleep "$((wait_ms / 1000)).$(printf %03d $((wait_ms % 1000)))"
    if kill -KILL "$process" 2>/dev/null; then
      wait "$process" 2>/dev/null && break # it had just ended
      done=$((done + 1)) window=$((window + window / 50 + 1))
    else
      wait "$process"
      window=$((window * 3 / 4 + 1))
      break
    fi
  done
  same "$run" || { cat "$run.log"; exit 1; }
  left=$(find "$run" -name '*.tmp*')
  [ -z "$left" ] || { echo "half-written files are left: $left"; exit 1; }
  resumes=$((resumes + $(grep -c '^resumed' "$run.log" || true)))
  rm -r "$run"
done
echo "killed: $done SIGKILLs, $resumes resumes, $runs trainings: the same bytes"

# SIGTERM, SIGINT and SIGUSR1 save at the next step and end with 75; the same command goes on.
run=signalled
for signal in TERM INT USR1; do
  # An interactive shell's children ignore SIGINT unless started this way.
  (trap - INT; exec "$program" train run.yaml --run-dir "$run") >>"$run.log" &
  process=$!
  while ! grep -q '^\(epoch\|resumed\)' "$run.log" 2>/dev/null && kill -0 "$process" 2>/dev/null; do
    sleep 0.02
  done
  kill -"$signal" "$process"
  code=0
  wait "$process" || code=$?
  [ "$code" -eq 75 ] || { cat "$run.log"; echo "SIG$signal: exit code $code, not 75"; exit 1; }
  grep -q "^stopped by SIG$signal: saved at step" "$run.log"
  mv "$run.log" "$run.$signal.log"
done
"$program" train run.yaml --run-dir "$run" >>"$run.log"
same "$run"
echo "$run: exit code 75 for SIGTERM, SIGINT and SIGUSR1, then the same bytes"

for threads in 1 2 4; do
  run=threads$threads
  "$program" train run.yaml --run-dir "$run" --threads "$threads" >"$run.log"
  same "$run"
done
echo "1, 2 and 4 threads: the same bytes"
