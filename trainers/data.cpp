#include "trainers/data.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "core/files.h"
#include "datasets/loader.h"
#include "datasets/statistics.h"
#include "trainers/registry.h"

namespace casimir {

namespace {

// Reads files, remembers their checksums.
struct Reader {
  const DataOptions& options;
  std::vector<DataFile>& files;

  std::vector<Frame> operator()(const std::string& key, const std::vector<std::string>& paths,
                                const std::string& index) const {
    std::vector<Frame> all;
    for (const std::string& path : paths) {
      std::vector<Frame> frames = read_frames(path, options, key, index);
      check<DataError>(!frames.empty(), key, ": ", path, " holds no frames");
      files.push_back(
          {key, path, static_cast<int64_t>(frames.size()), hex(checksum(read_file(path)))});
      for (Frame& frame : frames) all.push_back(std::move(frame));
    }
    return all;
  }
};

void apply_type_weights(std::vector<Frame>& frames, const DataOptions& options) {
  for (Frame& frame : frames)
    if (auto at = options.config_type_weights.find(frame.config_type);
        at != options.config_type_weights.end())
      frame.weight *= at->second;
}

// Frames of the sets, validation split off where no file gives it.
struct Sets {
  std::vector<Frame> train, valid;
};

Sets split_sets(std::vector<Frame> frames, const RunOptions& options) {
  const DataOptions& data = options.data;
  int64_t n = static_cast<int64_t>(frames.size());
  Sets sets;
  bool none = data.valid_count ? *data.valid_count == 0 : data.valid_fraction == 0;
  if (none) {
    sets.train = std::move(frames);
    return sets;
  }
  int64_t wanted = data.valid_count.value_or(0);
  check<DataError>(n >= 2, "data.train: expected at least 2 frames to split validation off, found ",
                   n, "; give data.valid, or data.valid_fraction: 0");
  check<DataError>(wanted < n, "data.valid_count: ", wanted, " of ", n,
                   " training frames leaves none to train on");
  uint64_t seed = static_cast<uint64_t>(options.seed);
  Split split = data.valid_count ? split_by_count(n, wanted, seed)
                                 : split_by_fraction(n, data.valid_fraction, seed);
  for (int64_t i : split.train) sets.train.push_back(std::move(frames[i]));
  for (int64_t i : split.valid) sets.valid.push_back(std::move(frames[i]));
  return sets;
}

// Both sets, with the weights of their types; the isolated atoms among the training frames, where
// these tell the reference energies, go to `single`.
Sets read_sets(const RunOptions& options, const Reader& read, std::vector<Frame>& single) {
  std::vector<Frame> frames = read("data.train", options.data.train, options.data.index);
  if (options.data.E0s == "isolated") single = take_isolated_atoms(frames, options.model.r_max());
  check<DataError>(!frames.empty(), "data.train: only isolated atoms, nothing to train on");
  apply_type_weights(frames, options.data);
  if (options.data.valid.empty()) return split_sets(std::move(frames), options);
  Sets sets{std::move(frames), read("data.valid", options.data.valid, ":")};
  apply_type_weights(sets.valid, options.data);
  return sets;
}

std::vector<int> model_elements(const RunOptions& options, const Sets& sets) {
  if (options.model.elements.empty()) {
    std::vector<int> elements = elements_of(sets.train);
    for (int number : elements_of(sets.valid))
      check<DataError>(std::count(elements.begin(), elements.end(), number) > 0,
                       "data.valid: element ", symbol_of(number),
                       " is in no training frame; name it in model.elements");
    return elements;
  }
  std::vector<int> elements;
  for (const std::string& symbol : options.model.elements) {
    int number = number_of(symbol);
    check<ConfigError>(number > 0, "model.elements: unknown element '", symbol, "'");
    elements.push_back(number);
  }
  std::sort(elements.begin(), elements.end());
  bool twice = std::adjacent_find(elements.begin(), elements.end()) != elements.end();
  check<ConfigError>(!twice, "model.elements: an element is named twice");
  return elements;
}

AtomEnergies reference_energies(const RunOptions& options, const Reader& read, const Sets& sets,
                                const std::vector<Frame>& single, const std::vector<int>& elements,
                                std::string& note) {
  const DataOptions& data = options.data;
  if (data.E0s == "given") return given_energies(data.E0_values);
  if (data.E0s == "least_squares") {
    auto labelled = [](const Frame& frame) { return frame.energy.has_value(); };
    if (std::any_of(sets.train.begin(), sets.train.end(), labelled))
      return least_squares_energies(sets.train, &note);
    note = "no frame has an energy: the reference energies are 0";
    AtomEnergies zeros;
    for (int number : elements) zeros[number] = 0;
    return zeros;
  }
  if (!data.isolated_atoms.empty())
    return isolated_energies(read("data.isolated_atoms", {data.isolated_atoms}, ":"));
  check<DataError>(!single.empty(),
                   "data.E0s: isolated, but data.train has no frame of a single "
                   "isolated atom; give data.isolated_atoms, or E0s: least_squares");
  return isolated_energies(single);
}

LabelCounts count_labels(const std::vector<Frame>& frames) {
  LabelCounts counts;
  for (const Frame& frame : frames) {
    ++counts.frames;
    counts.energy += frame.energy.has_value();
    counts.forces += !frame.forces.empty();
    counts.stress += frame.stress.has_value();
  }
  return counts;
}

// A label with a weight: an error where no frame has it, a note where some lack it.
struct LabelCheck {
  const std::string& set;
  const RunOptions& options;
  int64_t frames;
  std::string& notes;

  void operator()(const char* label, double LossWeights::*weight, int64_t have,
                  const std::string& keys) const {
    const std::optional<StageTwoOptions>& second = options.train.stage_two;
    bool first = options.task.weights.*weight > 0;
    if (frames == have || !(first || (second && second->weights.*weight > 0))) return;
    check<DataError>(have > 0, set, ": no frame has a label for ", label, " (", keys, "), but ",
                     first ? "task" : "train.stage_two", ".weights.", label, " is ",
                     first ? options.task.weights.*weight : second->weights.*weight);
    notes += fmt::format("{}: {} of {} frames lack {}; they do not count in its loss\n", set,
                         frames - have, frames, label);
  }
};

void check_labels(const std::string& set, const std::vector<Frame>& frames,
                  const RunOptions& options, std::string& notes) {
  LabelCounts have = count_labels(frames);
  const DataOptions& data = options.data;
  LabelCheck check_label{set, options, have.frames, notes};
  check_label("energy", &LossWeights::energy, have.energy, "key '" + data.energy_key + "'");
  check_label("forces", &LossWeights::forces, have.forces, "key '" + data.forces_key + "'");
  check_label("stress", &LossWeights::stress, have.stress,
              "key '" + data.stress_key + "' or '" + data.virial_key + "'");
}

MaceConstants make_constants(const RunOptions& options, const std::vector<Sample>& train,
                             const std::vector<int>& elements, const AtomEnergies& e0s) {
  MaceConstants constants;
  constants.elements = elements;
  std::string origin = options.data.E0s == "given" ? "data.E0_values"
                       : !options.data.isolated_atoms.empty() && options.data.E0s == "isolated"
                           ? options.data.isolated_atoms
                           : "data.train";
  constants.atomic_energies = energies_for(elements, e0s, origin);
  ScaleShift found = scale_shift(train, e0s);
  constants.scale = options.model.scale.value_or(found.scale);
  constants.shift = options.model.shift.value_or(found.shift);
  constants.avg_num_neighbors = options.model.avg_num_neighbors.value_or(avg_num_neighbors(train));
  return constants;
}

std::string constants_text(const RunOptions& options, const MaceConstants& constants) {
  std::string text = fmt::format("E0 (eV, {})", options.data.E0s);
  for (size_t i = 0; i < constants.elements.size(); ++i)
    text +=
        fmt::format("  {} {:.6f}", symbol_of(constants.elements[i]), constants.atomic_energies[i]);
  return text + fmt::format("\nscale {:.6f} eV  shift {:.6f} eV/atom  avg_num_neighbors {:.4f}\n",
                            constants.scale, constants.shift, constants.avg_num_neighbors);
}

}  // namespace

std::vector<Frame> read_frames(const std::string& path, const DataOptions& options,
                               const std::string& key, const std::string& index) {
  std::error_code ignored;
  std::string start = key.empty() ? "" : key + ": ";
  std::string advice = options.source.empty() ? "" : "; get it from " + options.source;
  check<MissingError>(std::filesystem::exists(path, ignored), start, "no such file '", path, "'",
                      advice);
  return find_dataset(options.kind).read(path, options, index);
}

std::vector<Frame> validation_frames(const RunOptions& options) {
  std::vector<DataFile> files;
  std::vector<Frame> single;
  return read_sets(options, Reader{options.data, files}, single).valid;
}

Data load_data(const RunOptions& options) {
  Data data;
  Reader read{options.data, data.files};
  double r_max = options.model.r_max();
  std::vector<Frame> single;
  Sets sets = read_sets(options, read, single);
  std::string notes, e0_note;
  check_labels("data.train", sets.train, options, notes);
  check_labels("data.valid", sets.valid, options, notes);
  std::vector<int> elements = model_elements(options, sets);
  AtomEnergies e0s = reference_energies(options, read, sets, single, elements, e0_note);
  data.train = prepare_samples(std::move(sets.train), elements, r_max);
  data.valid = prepare_samples(std::move(sets.valid), elements, r_max);
  data.constants = make_constants(options, data.train, elements, e0s);
  BatchOptions batches;
  batches.max_edges = options.train.max_edges.value_or(0);
  for (const std::string& note : {e0_note, oversized_note(data.train, batches)})
    if (!note.empty()) notes += note + "\n";
  std::vector<NamedSamples> named{{"train", data.train}};
  if (!data.valid.empty()) named.push_back({"valid", data.valid});
  data.table = data_table(named);
  if (!data.table.empty() && data.table.back() != '\n') data.table += '\n';
  data.table += constants_text(options, data.constants) + notes;
  return data;
}

}  // namespace casimir
