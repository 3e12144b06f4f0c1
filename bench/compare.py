"""Runs the benchmark rows and prints them as a table; called by scripts/bench.

Without a peer: the rows of Google Benchmark. With one: each row's samples alternate between Casimir
and the peer, so that both meet the same machine; the medians are compared. Standard library only.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROWS = [("train", "train_step_mace"), ("infer", "infer_mace")]
AGREEMENT = 1e-4  # largest relative difference of energies and forces, float32


class Server:
    """A program that answers one line by one line."""

    def __init__(self, command):
        self.command = command
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit(f"bench: {self.command[0]} ended with exit code {self.process.wait()}")
        return answer.strip()

    def numbers(self, line):
        return [float(word) for word in self.ask(line).split()]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def output_of(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    if done.returncode:
        sys.exit(f"bench: {' '.join(command)} ended with exit code {done.returncode}")
    return done.stdout


def peer_model(args, l_hidden):
    """The peer's random weights as a file of ours, and the peer's energies and force norm."""
    stem = os.path.join(args.work, f"mace_l{l_hidden}")
    numbers = output_of([args.peer, "bench/peers/mace_model.py", "--data", args.data,
                         "--lmax-hidden", str(l_hidden), stem + ".model"])
    output_of([args.peer, "scripts/import_mace.py", stem + ".model", stem + ".safetensors"])
    return stem + ".safetensors", [float(word) for word in numbers.split()[-6:]]


def check_agreement(ours, theirs, l_hidden):
    scale = max(abs(e) for e in theirs[:5])
    difference = max(abs(a - b) for a, b in zip(ours[:5], theirs[:5])) / scale
    difference = max(difference, abs(ours[5] - theirs[5]) / theirs[5])
    if not difference <= AGREEMENT:
        sys.exit(f"bench: MACE L={l_hidden}: the two programs compute different things: energies "
                 f"and force norm {ours}, the peer {theirs}")
    print(f"MACE L={l_hidden}: same weights, energies and forces agree to {difference:.1e}")


def compare(args, l_hidden):
    threads = [] if args.threads == 0 else ["--threads", str(args.threads)]
    model, expected = peer_model(args, l_hidden)
    ours = Server([args.program, "--serve", "--data", args.data, "--lmax-hidden", str(l_hidden),
                   "--model", model] + threads)
    check_agreement(ours.numbers("fingerprint"), expected, l_hidden)
    count = int(ours.ask("threads"))
    theirs = Server([args.peer, "bench/peers/mace_step.py", "--serve", "--data", args.data,
                     "--lmax-hidden", str(l_hidden), "--threads", str(count)])
    gflop = dict(zip(["train", "infer"], ours.numbers("gflop")))
    rows = []
    for work, name in ROWS:
        samples = {ours: [], theirs: []}
        for server in samples:
            for _ in range(2):
                server.ask(work)
        for _ in range(args.rounds):
            for server in samples:
                samples[server].append(float(server.ask(work)))
                time.sleep(0.25)  # until its threads have gone to sleep
        peak = ours.numbers("peak")[0]
        rows.append(make_row(f"{name}_l{l_hidden}", statistics.median(samples[ours]),
                             statistics.median(samples[theirs]), gflop[work], peak, count))
    ours.close()
    theirs.close()
    return rows


def make_row(name, ms, peer_ms, gflop, peak, threads):
    return {"name": name, "casimir_ms": round(ms, 3),
            "peer_ms": None if peer_ms is None else round(peer_ms, 3),
            "ratio": None if peer_ms is None else round(peer_ms / ms, 2), "gflop": gflop,
            "percent_of_peak": round(100 * gflop / (ms / 1000) / peak, 2), "threads": threads}


def alone(args):
    """Google Benchmark prints its own table; its file becomes our rows."""
    threads = [] if args.threads == 0 else ["--threads", str(args.threads)]
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "rows.json")
        command = [args.program, "--data", args.data, "--benchmark_min_time=2",
                   f"--benchmark_out={file}", "--benchmark_out_format=json"] + threads
        if subprocess.run(command, cwd=ROOT).returncode:
            sys.exit("bench: the benchmark program failed")
        with open(file) as f:
            found = {b["name"].split("/")[0]: b for b in json.load(f)["benchmarks"]}
    peak = found.pop("sgemm_peak")["GFLOP/s"]
    count = args.threads or len(os.sched_getaffinity(0))
    rows = []
    for name, row in found.items():
        gflop = round(row["GFLOP/s"] / 1e9 * row["real_time"] / 1000, 3)
        rows.append(make_row(name, row["real_time"], None, gflop, peak, count))
    print(f"sgemm: {peak:.0f} GFLOP/s on {count} threads")
    return rows


def print_table(rows):
    print(f"\n{'row':20} {'casimir ms':>10} {'peer ms':>9} {'ratio':>6} {'GFLOP/s':>8} {'of peak':>8}")
    for row in rows:
        rate = row["gflop"] / row["casimir_ms"] * 1000
        print(f"{row['name']:20} {row['casimir_ms']:10.2f} {row['peer_ms']:9.1f} "
              f"{row['ratio']:5.1f}x {rate:8.1f} {row['percent_of_peak']:7.1f}%")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True, help="casimir_bench")
    parser.add_argument("--data", required=True, help="extended XYZ file; its first five frames")
    parser.add_argument("--peer", help="python with mace-torch: compare")
    parser.add_argument("--work", default=".", help="folder for the peer's models")
    parser.add_argument("--json", help="file for the rows")
    parser.add_argument("--threads", type=int, default=0, help="0: all")
    parser.add_argument("--rounds", type=int, default=7, help="samples per row and program")
    args = parser.parse_args()

    if args.peer:
        rows = [row for l_hidden in range(3) for row in compare(args, l_hidden)]
        print_table(sorted(rows, key=lambda row: row["name"], reverse=True))
    else:
        rows = alone(args)
    if args.json:
        with open(args.json, "w") as f:
            f.write("[\n " + ",\n ".join(json.dumps(row) for row in rows) + "\n]\n")


if __name__ == "__main__":
    main()
