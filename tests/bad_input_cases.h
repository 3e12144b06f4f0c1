// The table of bad inputs, run through the real program by bad_input_test.cpp: what is wrong, the
// command, the exit code and the whole message on stderr (after "casimir: error: ").
#pragma once

struct BadInput {
  const char* name;
  const char* command;
  const char* file;  // made by replacing `from` by `to` in the good file of its extension
  const char* from;  // "": `to` is the whole content
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
