"""Runs the benchmark rows and prints them as a table; called by scripts/bench.

Without peers: the rows of Google Benchmark. With them (rows.py): each row's samples alternate
between Casimir and its peers, each a process of its own that stays alive, so that all meet the same
machine; the medians are compared. Standard library only.
"""

import argparse
import datetime
import json
import os
import platform
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import rows

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
REST = 0.25      # seconds until the threads of the last sample have gone to sleep
SLOW = 10e3      # ms: a peer that takes longer is asked for three samples only
ATOMS = 135      # of the batch of five frames
COLUMNS = "{:30} {:>9} {:>9} {:>8} {:>7} {:>8} {:>7} {:>6}  {}"


class Server:
    """A program that answers one line by one line."""

    def __init__(self, command, environment=None):
        self.command = command
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, cwd=ROOT,
                                        env={**os.environ, **(environment or {})})

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit(f"bench: {' '.join(self.command)} ended with exit code {self.process.wait()}")
        return answer.strip()

    def number(self, line):
        return float(self.ask(line))

    def numbers(self, line):
        return [float(word) for word in self.ask(line).split()]

    def close(self):
        self.process.stdin.close()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def start_casimir(args, name, threads, options=()):
    command = [args.program, "--serve", name, "--data", args.data, "--threads", str(threads)]
    return Server([*command, *options], {"OMP_NUM_THREADS": str(threads)})


def start_peer(args, row, peer, threads):
    name, threads = peer.row or row.program_row or row.name, peer.threads or threads
    if peer.environment == "casimir":
        return start_casimir(args, name, threads, peer.options)
    python = args.mace if peer.environment == "mace" else args.nequip
    return Server([python, f"bench/peers/{peer.script}", name, "--data", args.data, "--threads",
                   str(threads), *peer.options])


class Match:
    """Casimir and the peers of one row, all alive."""

    def __init__(self, args, row):
        self.row, self.threads = row, row.threads or args.threads
        self.peers = [start_peer(args, row, peer, self.threads) for peer in row.peers]
        self.labels = [server.ask("version") if peer.environment != "casimir" else peer.label
                       for peer, server in zip(row.peers, self.peers)]
        options = []
        if row.peers and row.peers[0].weights:
            options = ["--model", self.peers[0].ask(f"save {args.work}/{row.name}.safetensors")]
        self.ours = start_casimir(args, row.program_row or row.name, self.threads, options)

    def agreement(self):
        """Largest difference of the results from the peers', relative to their norms."""
        ours, worst = self.ours.numbers("fingerprint"), 0.0
        for peer, label, server in zip(self.row.peers, self.labels, self.peers):
            if peer.times != 1:
                continue  # another amount of work has other results
            theirs = server.numbers("fingerprint")
            if len(ours) != len(theirs):
                sys.exit(f"bench: {self.row.name}: {len(ours)} numbers, {label}: {len(theirs)}")
            for i, (a, b) in enumerate(zip(ours, theirs)):
                norm = theirs[i - i % 2]  # each result is a norm and a projection
                difference = abs(a - b) / norm if norm else abs(a)
                worst = difference if difference != difference else max(worst, difference)
            if not worst <= self.row.agreement:
                sys.exit(f"bench: {self.row.name}: the programs compute different things: "
                         f"{ours}, {label}: {theirs}")
        return worst if ours else None

    def close(self):
        for server in [self.ours, *self.peers]:
            server.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def samples_of(servers, rounds):
    """The samples of each server, ms, which alternate. Before each sample stands a run that is not
    timed: steps of a training follow each other, too, and find their memory in place."""
    samples = [[] for _ in servers]
    for server in servers:
        if server.number("run") < SLOW:
            server.ask("run")
        else:
            rounds = min(rounds, 3)
        time.sleep(REST)
    for _ in range(rounds):
        for server, found in zip(servers, samples):
            server.ask("run")
            found.append(server.number("run"))
            time.sleep(REST)
    return samples


def measure_time(args, row):
    with Match(args, row) as match:
        agreement = match.agreement()
        ours, *others = samples_of([match.ours, *match.peers], args.rounds)
        ms = statistics.median(ours)
        peer_ms, peer_min_ms, label = min(
            (peer.times * statistics.median(found), peer.times * min(found), label)
            for found, peer, label in zip(others, row.peers, match.labels))
        gflop, peak = match.ours.number("gflop"), match.ours.number("peak")
        return {"name": row.name, "casimir_ms": ms, "peer_ms": peer_ms, "ratio": peer_ms / ms,
                "must": row.must, "met": met(peer_ms / ms, row.must), "peer": label,
                "casimir_min_ms": min(ours), "peer_min_ms": peer_min_ms, "samples": len(ours),
                "agreement": agreement, "threads": match.threads,
                **rate(gflop, ms, peak), "must_percent_of_peak": row.of_peak}


def met(ratio, must):
    return None if must is None else ratio >= must


def rate(gflop, ms, peak):
    if not gflop:
        return {"gflop": None, "gflop_per_s": None, "percent_of_peak": None}
    speed = gflop / ms * 1e3
    return {"gflop": gflop, "gflop_per_s": speed, "percent_of_peak": 100 * speed / peak}


def measure_memory(args, row):
    """Largest resident memory of three steps, MB per atom, above what the program began with."""
    with Match(args, row) as match:
        found = []
        for server in [match.ours, *match.peers]:
            for _ in range(3):
                server.ask("run")
            found.append(server.number("memory") / ATOMS)
        ours, theirs = found
        return {"name": row.name, "casimir_mb_per_atom": ours, "peer_mb_per_atom": theirs,
                "ratio": theirs / ours, "must_mb_per_atom": row.must, "met": ours <= row.must,
                "peer": match.labels[0], "threads": match.threads}


def first_step_of_casimir(args, threads):
    """Seconds until the checkpoint of step 1 is on the disk."""
    with tempfile.TemporaryDirectory() as folder:
        command = [args.casimir, "train", "configs/3bpa/mace-l0.yaml", "--run-dir", folder + "/run",
                   f"data.train={args.data}", f"step.threads={threads}", "train.save_every_steps=1"]
        start = time.perf_counter()
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
        checkpoint = folder + "/run/checkpoints/step-000000001.ckpt"
        while not os.path.exists(checkpoint):
            if process.poll() is not None:
                sys.exit(f"bench: {' '.join(command)} ended with exit code {process.returncode}")
            time.sleep(0.002)
        seconds = time.perf_counter() - start
        process.send_signal(signal.SIGTERM)
        process.wait()
        return seconds


def first_step_of_peer(args, row, threads):
    """The same model; five frames instead of 500, no command line, no checkpoint."""
    start = time.perf_counter()
    with start_peer(args, row, row.peers[0], threads) as server:
        server.ask("run")
        return time.perf_counter() - start, server.ask("version")


def measure_start(args, row):
    ours, theirs = [], []
    for _ in range(min(args.rounds, 5)):
        ours.append(first_step_of_casimir(args, args.threads))
        seconds, label = first_step_of_peer(args, row, args.threads)
        theirs.append(seconds)
    casimir_s, peer_s = statistics.median(ours), statistics.median(theirs)
    return {"name": row.name, "casimir_s": casimir_s, "peer_s": peer_s, "ratio": peer_s / casimir_s,
            "must_s": row.must, "met": casimir_s <= row.must, "peer": label,
            "threads": args.threads}


MEASURES = {"time": measure_time, "memory": measure_memory, "start": measure_start}


def alone(args, selection):
    """Google Benchmark prints its own table; its file becomes our rows."""
    threads = {row.program_row or row.name: 1 if row.threads == 1 else args.threads
               for row in selection}
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "rows.json")
        command = [args.program, "--data", args.data, "--threads", str(args.threads),
                   f"--benchmark_filter=^({'|'.join([*threads, 'peak_f32', 'peak_f64'])})/",
                   f"--benchmark_out={file}", "--benchmark_out_format=json"]
        if subprocess.run(command, cwd=ROOT).returncode:
            sys.exit("bench: the benchmark program failed")
        with open(file) as f:
            found = {b["name"].split("/")[0]: b for b in json.load(f)["benchmarks"]}
    peaks = {"f32": found.pop("peak_f32")["GFLOP/s"], "f64": found.pop("peak_f64")["GFLOP/s"]}
    result = []
    for name, row in found.items():
        gflop = row.get("GFLOP/s", 0) * row["real_time"] / 1000
        peak = peaks["f64" if name.endswith("_f64") else "f32"]
        result.append({"name": name, "casimir_ms": row["real_time"], "peer_ms": None, "ratio": None,
                       "threads": threads[name], **rate(gflop, row["real_time"], peak)})
        if threads[name] != args.threads:
            result[-1]["percent_of_peak"] = None  # the peak is that of all threads
    return result


def short(value, digits=3):
    return "-" if value is None else f"{value:.{digits}g}" if abs(value) < 1e3 else f"{value:.0f}"


def print_head():
    print(COLUMNS.format("row", "casimir", "peer", "ratio", "must", "GFLOP/s", "of peak", "agree",
                         "peer"), flush=True)


def print_row(row):
    unit = next((u for u in ("ms", "s", "mb_per_atom") if f"casimir_{u}" in row), "ms")
    name = row["name"] + {"ms": "", "s": " (s)", "mb_per_atom": " (MB/atom)"}[unit]
    must = row.get("must", row.get("must_" + unit))
    low = row.get("must_percent_of_peak") and row["percent_of_peak"] < row["must_percent_of_peak"]
    missed = "  MISSED" if row["met"] is False else "  LOW SHARE OF PEAK" if low else ""
    share = row.get("percent_of_peak")
    print(COLUMNS.format(name, short(row["casimir_" + unit]), short(row["peer_" + unit]),
                         short(row["ratio"]) + "x",
                         ("" if unit == "ms" else "<= ") + short(must, 2),
                         short(row.get("gflop_per_s")), "-" if share is None else f"{share:.0f}%",
                         "-" if row.get("agreement") is None else f"{row['agreement']:.0e}",
                         row["peer"].split(",")[0] + missed), flush=True)


def processor():
    with open("/proc/cpuinfo") as f:
        text = f.read()
    fields = [re.search(rf"^{name}\s*:\s*(.*)$", text, re.M)
              for name in ("model name", "cpu family")]
    name, family = (found.group(1) if found else "?" for found in fields)
    vectors = "AVX-512" if "avx512f" in text else "AVX2" if "avx2" in text else "SSE"
    return f"{name}, family {family}, {vectors}, {len(os.sched_getaffinity(0))} cores, " \
           f"{platform.system()} {platform.release()}"


def rounded(row):
    return {key: float(f"{value:.4g}") if isinstance(value, float) else value
            for key, value in row.items()}


def write_json(args, result):
    if not args.json:
        return
    lines = ",\n  ".join(json.dumps(rounded(row)) for row in result)
    head = {"machine": processor(), "threads": args.threads,
            "date": datetime.datetime.now().isoformat(timespec="seconds")}
    with open(args.json, "w") as f:
        f.write(json.dumps(head)[:-1] + f', "rows": [\n  {lines}\n]}}\n')


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True, help="casimir_bench")
    parser.add_argument("--casimir", required=True, help="casimir")
    parser.add_argument("--data", required=True, help="extended XYZ file; its first five frames")
    parser.add_argument("--mace", help="python with mace-torch: compare")
    parser.add_argument("--nequip", help="python with nequip")
    parser.add_argument("--work", default=".", help="folder for the peers' models")
    parser.add_argument("--json", help="file for the rows")
    parser.add_argument("--threads", type=int, default=0, help="0: all")
    parser.add_argument("--rounds", type=int, default=7, help="samples per row and program")
    parser.add_argument("--only", default="*", help="names of rows, as matmul*,infer*")
    parser.add_argument("--compiled", action="store_true", help="rows of torch.compile too")
    args = parser.parse_args()
    args.threads = args.threads or len(os.sched_getaffinity(0))

    selection = rows.chosen(args.only, args.compiled)
    if not selection:
        sys.exit(f"bench: no row matches '{args.only}': {', '.join(r.name for r in rows.ROWS)}")
    if args.mace:
        print_head()
        result = []
        for row in selection:
            result.append(MEASURES[row.kind](args, row))
            print_row(result[-1])
            write_json(args, result)  # after each row: all of them take long
    else:
        write_json(args, alone(args, selection))


if __name__ == "__main__":
    main()
