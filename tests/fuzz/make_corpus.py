#!/usr/bin/env python3
"""Makes the seeds in tests/fuzz/corpus/: tests/fuzz/make_corpus.py build/casimir

Real files, cut to a size at which a fuzzer is quick: configurations, frames, models and checkpoints
of one step, command lines of the manual. Inputs that once broke something lie beside them and stay.
"""
import gzip
import json
import pathlib
import struct
import subprocess
import sys
import tempfile

here = pathlib.Path(__file__).resolve().parent
root = here.parent.parent
corpus = here / "corpus"
program = pathlib.Path(sys.argv[1]).resolve()


def seed(fuzzer, name, content):
    path = corpus / fuzzer / ("seed_" + name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def casimir(folder, *words):
    subprocess.run([program, *words], cwd=folder, check=True, stdout=subprocess.DEVNULL)


def changeable(content):
    """A safetensors file as the fuzzers take it: header, line end, data; without a checksum."""
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    header.get("__metadata__", {}).pop("checksum", None)
    return json.dumps(header, separators=(",", ":")).encode() + b"\n" + content[8 + length :]


def first_frame(path, atoms=6):
    lines = path.read_text().split("\n")
    kept = min(atoms, int(lines[0]))
    return "\n".join([str(kept), *lines[1 : 2 + kept]]) + "\n"


small = """seed: 3
data: {train: si.xyz, valid_count: 1, E0s: given, E0_values: {Si: -1.5}, config_type_weights: {a: 2}}
model:
  kind: %s
  dtype: %s
  r_max: 3.0
  l_max: 1
  num_bessel: 2
  radial_mlp: [2]
%s
task: {loss: huber, energy: per_atom, weights: {energy: 1, forces: 10}}
train: {epochs: 1, batch_size: 2, clip: 5, optimizer: {kind: adamw}, stage_two: {start_epoch: 9}}
step: {threads: 1}
"""
mace = "  hidden_irreps: 2x0e\n  correlation: 2\n  num_interactions: 1\n  readout_irreps: 2x0e"
nequip = "  num_layers: 1\n  num_features: [2, 2]\n  parity: false\n  num_polynomial_cutoff: 6"

with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    casimir(folder, *"data make silicon --out si.xyz --frames 3 --repeat 1 1 1 --seed 1".split())
    for kind, dtype, keys in (("mace", "float32", mace), ("nequip", "float64", nequip)):
        (folder / f"{kind}.yaml").write_text(small % (kind, dtype, keys))
        casimir(folder, "train", f"{kind}.yaml")
        run = folder / "runs" / kind
        model = (run / "model.safetensors").read_bytes()
        seed("model", kind, changeable(model))
        seed("model", kind + "_checkpoint", changeable((run / "checkpoints/last.ckpt").read_bytes()))
        seed("safetensors", kind, changeable(model)[:2000])
        seed("safetensors", kind + "_whole", b"\0" + model)
        seed("config", "small_" + kind, small % (kind, dtype, keys))
        seed("config", kind + "_resolved", (run / "resolved.yaml").read_text())
    seed("extxyz", "silicon", (folder / "si.xyz").read_text()[:3000].rsplit("8\n", 1)[0])

entry = '{"dtype":"%s","shape":%s,"data_offsets":%s}'
for dtype, width in (("F32", 4), ("F64", 8), ("I32", 4), ("I64", 8), ("U8", 1)):
    header = '{"a":' + entry % (dtype, "[2]", f"[0,{2 * width}]") + ',"b":' + entry % (
        dtype, "[0,3]", f"[{2 * width},{2 * width}]") + ',"__metadata__":{"k":"v"}}'
    seed("safetensors", dtype, header + "\n" + "\0" * 2 * width)

for path in sorted((root / "configs").rglob("*.yaml")):
    seed("config", path.stem, path.read_text() + "\0train.epochs=3\ntrain.optimizer.betas=[0.9, 0.99]")
seed("config", "yaml", "a: &x [1, 'two', \"three\\n\", null]\nb: *x\nc: {d: true, e: |\n  text\n  }\n"
     "f: >\n  folded\n--- \n")

for name in ("3bpa_20.xyz", "mptrj_20.xyz"):
    seed("extxyz", name, first_frame(root / "tests/reference" / name))
seed("extxyz", "gzip", gzip.compress(b"1\nenergy=-1.5 pbc=\"F F F\"\nH 0 0 0\n", mtime=0))
seed("extxyz", "styles", '1::2\0' + 2 * (
    '2\nLattice="4 0 0 0 4 0 0 0 4" Properties=species:S:1:pos:R:3:forces:R:3:tag:I:1:on:L:1 '
    'virial=[[1, 2, 3], [2, 4, 5], [3, 5, 6]] note=\'a "b"\' flag energy = -1e-3 array={1 2} '
    'config_weight=2 stress="1 2 3 4 5 6" pbc=[T, F, T] _JSON="x\\"y"\n'
    "Si 0 0 0 .1 2. -3e2 1 T\nO 1 1.5 2 0 0 0 -2 F\n"))
seed("extxyz", "plain", "3\n\nO 0 0 0\nH 1 0 0\n1 0 1 0\n")

for number, text in enumerate(("128x0e + 64x1o", "0e+1o+2e", "", "16x1o+3x0e+0x2o+16x1o", "1x3e+2x11o")):
    seed("irreps", str(number), text)

for number, words in enumerate((
        "train a.yaml train.epochs=10 model.l_max=2 --run-dir r --resume never --threads 2",
        "train a.yaml --dry-run --check-finite --resume x.ckpt data.train=[a.xyz, b.xyz]",
        "evaluate m.safetensors a.xyz b.xyz --index ::2 --json e.json --predictions p.xyz "
        "--batch-size 4 --dtype float64 --device cpu --energy-key E",
        "info runs/a --config --forces-key f", "check m.safetensors a.xyz --frames 2 --seed 7",
        "data make silicon --out s.xyz.gz --frames 9 --seed 3 --repeat 1 2 3 --rattle-min 0.01 "
        "--rattle-max=0.2 --strain 0.1 --vacancies 0.5",
        "help config", "help train", "--version", "-h", "train --help")):
    seed("command_line", str(number), "\n".join(words.split(" ")))
