"""What every peer shares: the inputs, the fingerprint, and the answers to bench/compare.py.

A peer is a program for one row of the benchmark. Each line of its standard input is answered by one
line: "run": milliseconds; "fingerprint": norm and projection of each result; "memory": MB of the
largest resident memory above what the program held before it made the row; "save PATH": writes the
peer's weights as a model file of casimir's; "version".
"""

import argparse
import resource
import sys
import time

import numpy as np


def add_arguments():
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__.splitlines()[0])
    parser.add_argument("row")
    parser.add_argument("--data", help="train_300K.xyz of the 3BPA set")
    parser.add_argument("--threads", type=int, default=2)
    return parser


def input_values(name, shape):
    """The pseudo-random input of that name: mean 0, variance 1 (bench/workload.h)."""
    stream = 2166136261
    for byte in name.encode():
        stream = ((stream ^ byte) * 16777619) % 2 ** 32
    u64 = np.uint64
    z = (u64(stream << 32) + np.arange(1, np.prod(shape) + 1, dtype=u64)) * u64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> u64(30))) * u64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> u64(27))) * u64(0x94D049BB133111EB)
    z ^= z >> u64(31)
    return (np.sqrt(3.0) * (2 * ((z >> u64(11)) * 2.0 ** -53) - 1)).reshape(shape)


def fingerprint(results):
    numbers = []
    for result in results:
        flat = np.asarray(result, dtype=np.float64).ravel()
        numbers += [np.linalg.norm(flat), flat @ input_values("projection", flat.shape)]
    return " ".join(repr(float(number)) for number in numbers)


def resident_now():
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1]) * resource.getpagesize() / 1e6


def resident_peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def time_run(run):
    """Milliseconds of one run: the mean of as many as fill 20 ms."""
    runs, start, seconds = 0, time.perf_counter(), 0.0
    while seconds < 0.02:
        run()
        runs, seconds = runs + 1, time.perf_counter() - start
    return 1e3 * seconds / runs


def serve(version, make):
    """make() -> (run, results, save); save may be None."""
    base = resident_now()
    run, results, save = make()
    answers = {"run": lambda: f"{time_run(run):.6g}", "version": lambda: version,
               "fingerprint": lambda: fingerprint(results()),
               "memory": lambda: f"{resident_peak() - base:.1f}"}
    for line in sys.stdin:
        word, *rest = line.split()
        if word == "save":
            save(rest[0])
            print(rest[0], flush=True)
        else:
            print(answers[word](), flush=True)
