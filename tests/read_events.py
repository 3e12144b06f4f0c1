"""Reads the event files of runs with the tensorboard package, whose records must hold what
metrics.jsonl does: every number of every epoch, once, at its step.

    python read_events.py RUN...
"""

import json
import os
import struct
import sys

from tensorboard.backend.event_processing import event_accumulator, io_wrapper


def close(a, b):
    return a == struct.unpack("f", struct.pack("f", b))[0]  # stored as float32


def compare(run):
    files = [name for name in os.listdir(run) if io_wrapper.IsTensorFlowEventsFile(name)]
    assert len(files) == 1, f"{run}: expected one event file, found {files}"
    events = event_accumulator.EventAccumulator(run, size_guidance={event_accumulator.SCALARS: 0})
    events.Reload()
    found = {tag: events.Scalars(tag) for tag in events.Tags()["scalars"]}
    expected = {}
    with open(os.path.join(run, "metrics.jsonl")) as lines:
        for line in map(json.loads, lines):
            for key, value in line.items():
                if key == "step" or value is None or isinstance(value, bool):
                    continue
                tag = key.replace("valid_", "valid/") if "valid_" in key else "train/" + key
                expected.setdefault(tag, []).append((line["step"], value))
    assert sorted(found) == sorted(expected), f"{run}: {sorted(found)}, not {sorted(expected)}"
    for tag, points in expected.items():
        steps = [event.step for event in found[tag]]
        assert steps == [step for step, _ in points], f"{run}: {tag}: steps {steps}"
        assert all(close(event.value, value) for event, (_, value) in zip(found[tag], points)), tag
        times = [event.wall_time for event in found[tag]]
        assert times == sorted(times), f"{run}: {tag}: times {times}"
    print(f"{run}: {len(found)} scalars at {len(found['train/loss'])} steps, as in metrics.jsonl")


for folder in sys.argv[1:]:
    compare(folder)
