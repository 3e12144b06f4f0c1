// The table of bad inputs, run through the real program by bad_input_test.cpp: what is wrong, the
// command, the exit code and the whole message on stderr (after "casimir: error: ").
#pragma once

struct BadInput {
  const char* name;
  const char* command;
  const char* file;         // made by replacing `from` by `to` in the good file of its extension
  const char* from;         // "": `to` is the whole content
  const char* to;
  int exit_code;
  const char* message;
};

constexpr const char* good_yaml = R"(seed: 1
data:
  kind: extxyz
  train: [good.xyz]
  valid_fraction: 0.25
model:
  kind: mace
  r_max: 4.0
  hidden_irreps: 4x0e
  l_max: 1
  correlation: [2]
  num_interactions: 1
  radial_mlp: [8]
  readout_irreps: 4x0e
task:
  kind: energy_forces
train:
  epochs: 1
  optimizer: {kind: amsgrad, lr: 0.01}
step:
  device: cpu
)";

constexpr const char* good_xyz = R"(2
Lattice="5 0 0 0 5 0 0 0 5" Properties=species:S:1:pos:R:3:forces:R:3 energy=-1.5 pbc="T T T"
Si 0 0 0 0.1 0 0
Si 2.3 0 0 -0.1 0 0
2
Lattice="5 0 0 0 5 0 0 0 5" Properties=species:S:1:pos:R:3:forces:R:3 energy=-1.25 pbc="T T T"
Si 0 0 0 0.2 0 0
Si 2.2 0 0 -0.2 0 0
2
Lattice="5 0 0 0 5 0 0 0 5" Properties=species:S:1:pos:R:3:forces:R:3 energy=-1 pbc="T T T"
Si 0 0 0 0.3 0 0
Si 2.1 0 0 -0.3 0 0
2
Lattice="5 0 0 0 5 0 0 0 5" Properties=species:S:1:pos:R:3:forces:R:3 energy=-0.5 pbc="T T T"
Si 0 0 0 0.4 0 0
Si 2.0 0 0 -0.4 0 0
)";

constexpr const char* train_it = "train bad.yaml --run-dir run";
constexpr const char* evaluate_it =
    "evaluate model.safetensors bad.xyz --json out.json --predictions out.xyz";
constexpr const char* info_it = "info bad.xyz";

// clang-format off
const BadInput bad_yaml_cases[] = {
  {"an unclosed list", train_it, "bad.yaml", "correlation: [2]", "correlation: [2", 78, ""},
  {"an unclosed quote", train_it, "bad.yaml", "hidden_irreps: 4x0e", "hidden_irreps: \"4x0e", 78, ""},
  {"a tab", train_it, "bad.yaml", "  r_max: 4.0", "\tr_max: 4.0", 78, ""},
  {"a key without colon", train_it, "bad.yaml", "  r_max: 4.0", "  r_max 4.0", 78, ""},
  {"wrong indentation", train_it, "bad.yaml", "  r_max: 4.0", "    r_max: 4.0", 78, ""},
  {"two documents", train_it, "bad.yaml", "task:", "---\ntask:", 78, ""},
  {"a tag", train_it, "bad.yaml", "r_max: 4.0", "r_max: !!python/name:os.system 4.0", 78, ""},
  {"an unknown alias", train_it, "bad.yaml", "r_max: 4.0", "r_max: *cut", 78, ""},
  {"a merge key", train_it, "bad.yaml", "r_max: 4.0", "<<: {r_max: 4.0}", 78, ""},
  {"not UTF-8", train_it, "bad.yaml", "extxyz", "ext\xff", 78, ""},
  {"a control character", train_it, "bad.yaml", "extxyz", "ext\x01", 78, ""},
  {"an empty file", train_it, "bad.yaml", "", "", 78, ""},
  {"a list instead of sections", train_it, "bad.yaml", "", "- seed: 1\n", 78, ""},
  {"a text instead of sections", train_it, "bad.yaml", "", "hello\n", 78, ""},
  {"a key twice", train_it, "bad.yaml", "  l_max: 1", "  l_max: 1\n  l_max: 2", 78, ""},
  {"a section twice", train_it, "bad.yaml", "step:", "task: {}\nstep:", 78, ""},
  {"an unknown key", train_it, "bad.yaml", "hidden_irreps", "hiden_irreps", 78, ""},
  {"an unknown section", train_it, "bad.yaml", "step:", "stepp:", 78, ""},
  {"an unknown key, two levels deep", train_it, "bad.yaml", "lr: 0.01", "learning_rate: 0.01", 78, ""},
  {"two unknown keys", train_it, "bad.yaml", "  l_max: 1\n  correlation", "  lmax: 1\n  corelation", 78, ""},
  {"text for a whole number", train_it, "bad.yaml", "epochs: 1", "epochs: many", 78, ""},
  {"a fraction for a whole number", train_it, "bad.yaml", "epochs: 1", "epochs: 1.5", 78, ""},
  {"zero epochs", train_it, "bad.yaml", "epochs: 1", "epochs: 0", 78, ""},
  {"a whole number too large", train_it, "bad.yaml", "epochs: 1", "epochs: 99999999999999999999", 78, ""},
  {"a number too large", train_it, "bad.yaml", "lr: 0.01", "lr: 1e999", 78, ""},
  {"NaN for a number", train_it, "bad.yaml", "lr: 0.01", "lr: .nan", 78, ""},
  {"a negative learning rate", train_it, "bad.yaml", "lr: 0.01", "lr: -0.01", 78, ""},
  {"an average beyond 1", train_it, "bad.yaml", "epochs: 1", "ema: 1.5", 78, ""},
  {"a list for a number", train_it, "bad.yaml", "r_max: 4.0", "r_max: [4.0]", 78, ""},
  {"a number for a section", train_it, "bad.yaml", "{kind: amsgrad, lr: 0.01}", "5", 78, ""},
  {"a section without value", train_it, "bad.yaml", "r_max: 4.0", "r_max:", 78, ""},
  {"no r_max at all", train_it, "bad.yaml", "r_max: 4.0", "r_max: 0", 78, ""},
  {"an unknown model", train_it, "bad.yaml", "kind: mace", "kind: mase", 78, ""},
  {"an unknown kind of data", train_it, "bad.yaml", "kind: extxyz", "kind: xyz", 78, ""},
  {"an unknown task", train_it, "bad.yaml", "kind: energy_forces", "kind: energy", 78, ""},
  {"an unknown optimizer", train_it, "bad.yaml", "kind: amsgrad", "kind: amsgard", 78, ""},
  {"an unknown number type", train_it, "bad.yaml", "r_max: 4.0", "dtype: float16", 78, ""},
  {"irreps with a bad parity", train_it, "bad.yaml", "hidden_irreps: 4x0e", "hidden_irreps: 4x0q", 78, ""},
  {"irreps with different channels", train_it, "bad.yaml", "hidden_irreps: 4x0e", "hidden_irreps: 4x0e+2x1o", 78, ""},
  {"irreps without scalars", train_it, "bad.yaml", "hidden_irreps: 4x0e", "hidden_irreps: 4x1o", 78, ""},
  {"absurdly many channels", train_it, "bad.yaml", "hidden_irreps: 4x0e", "hidden_irreps: 4000000000x0e", 78, ""},
  {"l_max beyond what is built", train_it, "bad.yaml", "l_max: 1", "l_max: 40", 78, ""},
  {"a correlation of 0", train_it, "bad.yaml", "correlation: [2]", "correlation: [0]", 78, ""},
  {"correlations for other layers", train_it, "bad.yaml", "correlation: [2]", "correlation: [2, 2, 2]", 78, ""},
  {"a hidden layer of width 0", train_it, "bad.yaml", "radial_mlp: [8]", "radial_mlp: [0]", 78, ""},
  {"no data.train", train_it, "bad.yaml", "train: [good.xyz]", "index: ':'", 78, ""},
  {"an unknown element", train_it, "bad.yaml", "r_max: 4.0", "elements: [Xx]", 78, ""},
  {"all weights 0", train_it, "bad.yaml", "kind: energy_forces", "weights: {energy: 0, forces: 0}", 78, ""},
  {"E0s given without values", train_it, "bad.yaml", "kind: extxyz", "E0s: given", 78, ""},
  {"a validation share beyond 1", train_it, "bad.yaml", "valid_fraction: 0.25", "valid_fraction: 1.5", 78, ""},
  {"an index that is none", train_it, "bad.yaml", "kind: extxyz", "index: first", 78, ""},
  {"an alias bomb", train_it, "bad.yaml", "", "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n", 78, ""},
  {"a missing configuration", "train none.yaml --run-dir run", "", "", "", 66, ""},
  {"a folder for a configuration", "train . --run-dir run", "", "", "", 74, ""},
  {"a missing data file", train_it, "bad.yaml", "[good.xyz]", "[none.xyz]", 66, ""},
  {"a missing data file with a source", train_it, "bad.yaml", "[good.xyz]", "[none.xyz]\n  source: https://example.org/set", 66, ""},
  {"a device that is not built in", train_it, "bad.yaml", "device: cpu", "device: cuda", 69, ""},
  {"an unknown device", train_it, "bad.yaml", "device: cpu", "device: tpu", 78, ""},
};

const BadInput bad_override_cases[] = {
  {"an override without =", "train good.yaml train.epochs --run-dir run", "", "", "", 2, ""},
  {"an override without a key", "train good.yaml =3 --run-dir run", "", "", "", 2, ""},
  {"an override of an unknown key", "train good.yaml train.epoch=3 --run-dir run", "", "", "", 78, ""},
  {"an override of an unknown section", "train good.yaml trainer.epochs=3 --run-dir run", "", "", "", 78, ""},
  {"an override of the wrong type", "train good.yaml train.epochs=three --run-dir run", "", "", "", 78, ""},
  {"an override that is not YAML", "train good.yaml 'model.correlation=[2' --run-dir run", "", "", "", 78, ""},
  {"an override below a value", "train good.yaml train.epochs.x=3 --run-dir run", "", "", "", 2, ""},
  {"an override with an empty part", "train good.yaml train..epochs=3 --run-dir run", "", "", "", 2, ""},
};

const BadInput bad_xyz_cases[] = {
  {"an empty data file", evaluate_it, "bad.xyz", "", "", 65, ""},
  {"a data file cut between atoms", evaluate_it, "bad.xyz", "Si 2.0 0 0 -0.4 0 0\n", "", 65, ""},
  {"a data file cut after the number of atoms", evaluate_it, "bad.xyz", "", "2\n", 65, ""},
  {"a data file cut within a number", evaluate_it, "bad.xyz", "Si 2.0 0 0 -0.4 0 0\n", "Si 2.0 0 0 -0.4 0", 65, ""},
  {"no number of atoms", evaluate_it, "bad.xyz", "2\nLattice=\"5 0 0 0 5 0 0 0 5\" Properties=species:S:1:pos:R:3:forces:R:3 energy=-1.25", "two\nLattice=\"5 0 0 0 5 0 0 0 5\" Properties=species:S:1:pos:R:3:forces:R:3 energy=-1.25", 65, ""},
  {"a negative number of atoms", evaluate_it, "bad.xyz", "", "-2\n\n", 65, ""},
  {"absurdly many atoms", evaluate_it, "bad.xyz", "", "99999999999\n\nSi 0 0 0\n", 65, ""},
  {"no atoms", evaluate_it, "bad.xyz", "", "0\n\n", 65, ""},
  {"a value too few", evaluate_it, "bad.xyz", "Si 2.2 0 0 -0.2 0 0", "Si 2.2 0 0 -0.2 0", 65, ""},
  {"a value too many", evaluate_it, "bad.xyz", "Si 2.2 0 0 -0.2 0 0", "Si 2.2 0 0 -0.2 0 0 0", 65, ""},
  {"text for a position", evaluate_it, "bad.xyz", "Si 2.2 0 0", "Si 2.2 zero 0", 65, ""},
  {"a position that is NaN", evaluate_it, "bad.xyz", "Si 2.2 0 0", "Si 2.2 nan 0", 65, ""},
  {"a force that is NaN", evaluate_it, "bad.xyz", "0 -0.2 0 0", "0 NaN 0 0", 65, ""},
  {"an energy that is infinite", evaluate_it, "bad.xyz", "energy=-1.25", "energy=inf", 65, ""},
  {"an energy that is text", evaluate_it, "bad.xyz", "energy=-1.25", "energy=low", 65, ""},
  {"an unknown element in data", evaluate_it, "bad.xyz", "Si 2.2", "Xx 2.2", 65, ""},
  {"an element the model lacks", evaluate_it, "bad.xyz", "Si 2.2", "Ge 2.2", 65, ""},
  {"a flat cell", evaluate_it, "bad.xyz", "0 0 0 5\" Properties=species:S:1:pos:R:3:forces:R:3 energy=-1.25", "0 0 5 0\" Properties=species:S:1:pos:R:3:forces:R:3 energy=-1.25", 65, ""},
  {"a cell of zeros", evaluate_it, "bad.xyz", "", "1\nLattice=\"0 0 0 0 0 0 0 0 0\" pbc=\"T T T\" Properties=species:S:1:pos:R:3\nSi 0 0 0\n", 65, ""},
  {"pbc without cell", evaluate_it, "bad.xyz", "", "1\npbc=\"T T T\" Properties=species:S:1:pos:R:3\nSi 0 0 0\n", 65, ""},
  {"a cell of eight numbers", evaluate_it, "bad.xyz", "", "1\nLattice=\"5 0 0 0 5 0 0 0\" Properties=species:S:1:pos:R:3\nSi 0 0 0\n", 65, ""},
  {"pbc of two", evaluate_it, "bad.xyz", "", "1\nLattice=\"5 0 0 0 5 0 0 0 5\" pbc=\"T T\" Properties=species:S:1:pos:R:3\nSi 0 0 0\n", 65, ""},
  {"pbc that is no flag", evaluate_it, "bad.xyz", "", "1\nLattice=\"5 0 0 0 5 0 0 0 5\" pbc=\"yes T T\" Properties=species:S:1:pos:R:3\nSi 0 0 0\n", 65, ""},
  {"Properties without positions", evaluate_it, "bad.xyz", "", "1\nProperties=species:S:1\nSi\n", 65, ""},
  {"Properties without elements", evaluate_it, "bad.xyz", "", "1\nProperties=pos:R:3\n0 0 0\n", 65, ""},
  {"Properties of an unknown type", evaluate_it, "bad.xyz", "", "1\nProperties=species:S:1:pos:Q:3\nSi 0 0 0\n", 65, ""},
  {"Properties that stop short", evaluate_it, "bad.xyz", "", "1\nProperties=species:S:1:pos:R\nSi 0 0 0\n", 65, ""},
  {"forces of two columns", evaluate_it, "bad.xyz", "", "1\nProperties=species:S:1:pos:R:3:forces:R:2\nSi 0 0 0 0 0\n", 65, ""},
  {"a stress of seven numbers", evaluate_it, "bad.xyz", "energy=-1.25", "stress=\"1 2 3 4 5 6 7\"", 65, ""},
  {"a stress that is not symmetric", evaluate_it, "bad.xyz", "energy=-1.25", "stress=\"1 2 3 4 5 6 7 8 9\"", 65, ""},
  {"an unclosed quote in data", evaluate_it, "bad.xyz", "", "1\nLattice=\"5 0 0 0 5 0 0 0 5 Properties=species:S:1:pos:R:3\nSi 0 0 0\n", 65, ""},
  {"a key twice in data", evaluate_it, "bad.xyz", "energy=-1.25", "energy=-1.25 energy=-1", 65, ""},
  {"a negative weight", evaluate_it, "bad.xyz", "energy=-1.25", "energy=-1.25 config_weight=-1", 65, ""},
  {"bytes of another kind", evaluate_it, "bad.xyz", "", "\x89PNG\r\n\x1a\n", 65, ""},
  {"a .gz that is not gzip", "evaluate model.safetensors bad.xyz.gz --json out.json", "bad.xyz.gz", "", "2\n\nSi 0 0 0\nSi 2 0 0\n", 65, ""},
  {"a gzip file cut short", "evaluate model.safetensors bad.xyz.gz --json out.json", "bad.xyz.gz", "", "\x1f\x8b\x08", 65, ""},
  {"a file that is nothing known", info_it, "bad.xyz", "", "hello\n", 65, ""},
  {"no frame with forces", "train good.yaml --run-dir run data.train=[bad.xyz]", "bad.xyz", "", "2\nenergy=-1\nSi 0 0 0\nSi 2 0 0\n2\nenergy=-2\nSi 0 0 0\nSi 2.1 0 0\n", 65, ""},
  {"no frame with energy", "train good.yaml --run-dir run data.train=[bad.xyz]", "bad.xyz", "", "1\nProperties=species:S:1:pos:R:3:forces:R:3\nSi 0 0 0 0 0 0\n1\nProperties=species:S:1:pos:R:3:forces:R:3\nSi 0 0 0 0 0 1\n", 65, ""},
  {"a label key that no frame has", "train good.yaml --run-dir run data.energy_key=REF_energy", "", "", "", 65, ""},
  {"one frame to train on", "train good.yaml --run-dir run data.index=0:1", "", "", "", 65, ""},
  {"an isolated atom without energy", "train good.yaml --run-dir run data.E0s=isolated data.isolated_atoms=bad.xyz", "bad.xyz", "", "1\nconfig_type=IsolatedAtom\nSi 0 0 0\n", 65, ""},
  {"no isolated atom", "train good.yaml --run-dir run data.E0s=isolated", "", "", "", 65, ""},
};

const BadInput bad_command_cases[] = {
  {"an unknown command", "trian good.yaml", "", "", "", 2, ""},
  {"an unknown command, near to none", "fly good.yaml", "", "", "", 2, ""},
  {"an unknown option of the program", "--verbose", "", "", "", 2, ""},
  {"train without a configuration", "train", "", "", "", 2, ""},
  {"an unknown option", "train good.yaml --dryrun", "", "", "", 2, ""},
  {"an option without its value", "train good.yaml --run-dir", "", "", "", 2, ""},
  {"a flag with a value", "train good.yaml --dry-run=maybe", "", "", "", 2, ""},
  {"threads that are no number", "train good.yaml --threads two", "", "", "", 2, ""},
  {"a negative number of threads", "train good.yaml --threads -1", "", "", "", 2, ""},
  {"threads beyond any number", "train good.yaml --threads 99999999999999999999", "", "", "", 2, ""},
  {"evaluate without a model", "evaluate", "", "", "", 2, ""},
  {"evaluate without data", "evaluate model.safetensors", "", "", "", 2, ""},
  {"a number type that is none", "evaluate model.safetensors good.xyz --dtype float16", "", "", "", 2, ""},
  {"a batch size of 0", "evaluate model.safetensors good.xyz --batch-size 0", "", "", "", 2, ""},
  {"a slice that is none", "evaluate model.safetensors good.xyz --index last", "", "", "", 2, ""},
  {"a slice that selects nothing", "evaluate model.safetensors good.xyz --index 9:", "", "", "", 65, ""},
  {"a device that is not there", "evaluate model.safetensors good.xyz --device cuda", "", "", "", 69, ""},
  {"predictions over the data", "evaluate model.safetensors good.xyz --predictions good.xyz", "", "", "", 2, ""},
  {"errors over the model", "evaluate model.safetensors good.xyz --json ./model.safetensors", "", "", "", 2, ""},
  {"errors into a folder that is not there", "evaluate model.safetensors good.xyz --json none/out.json", "", "", "", 74, ""},
  {"errors onto a folder", "evaluate model.safetensors good.xyz --json empty", "", "", "", 74, ""},
  {"a missing model", "evaluate none.safetensors good.xyz", "", "", "", 66, ""},
  {"missing data", "evaluate model.safetensors none.xyz --json out.json", "", "", "", 66, ""},
  {"a run without a model", "evaluate empty good.xyz", "", "", "", 66, ""},
  {"info on nothing", "info none.xyz", "", "", "", 66, ""},
  {"info on an empty folder", "info empty", "", "", "", 66, ""},
  {"check without a model", "check", "", "", "", 2, ""},
  {"check of no frames", "check model.safetensors --frames 0", "", "", "", 2, ""},
  {"data without a verb", "data", "", "", "", 2, ""},
  {"data make without a name", "data make", "", "", "", 2, ""},
  {"data make of something else", "data make silikon --out out.xyz", "", "", "", 2, ""},
  {"data make without a file", "data make silicon", "", "", "", 2, ""},
  {"data make of no frames", "data make silicon --out out.xyz --frames 0", "", "", "", 2, ""},
  {"data make with two repeats", "data make silicon --out out.xyz --repeat 2 2", "", "", "", 2, ""},
  {"data make with a repeat of 0", "data make silicon --out out.xyz --repeat 2 0 2", "", "", "", 2, ""},
  {"data make with a share beyond 1", "data make silicon --out out.xyz --vacancies 2", "", "", "", 2, ""},
  {"data make into nowhere", "data make silicon --frames 1 --out none/out.xyz", "", "", "", 74, ""},
  {"help on something else", "help confg", "", "", "", 2, ""},
  {"a checkpoint that is not there", "train good.yaml --run-dir run --resume none.ckpt", "", "", "", 66, ""},
  {"a checkpoint that is none", "train good.yaml --run-dir run --resume good.xyz", "", "", "", 65, ""},
};
// clang-format on
