// From the data section to samples and the constants of a model.
#pragma once

#include <string>
#include <vector>

#include "datasets/batch.h"
#include "trainers/options.h"

namespace casimir {

struct DataFile {
  std::string key, path;  // "data.train", as configured
  int64_t frames = 0;
  std::string checksum;  // of the file's bytes, 16 hexadecimal digits
};

struct Data {
  std::vector<Sample> train, valid;
  MaceConstants constants;  // what the data say, or the options where these are stronger
  std::vector<DataFile> files;
  std::string table;  // for people: sets, labels, E0s, constants, notes
};

// Reads, splits, builds neighbour lists, and computes the constants. A missing file is a
// MissingError that names the key and repeats data.source; a label with a weight that no training
// frame has is a DataError.
Data load_data(const RunOptions& options);

// The validation set alone, without neighbour lists: the same frames.
std::vector<Frame> validation_frames(const RunOptions& options);

// The frames of one file with the keys of `options`; `key` stands in the message when it is
// missing.
std::vector<Frame> read_frames(const std::string& path, const DataOptions& options = {},
                               const std::string& key = "", const std::string& index = ":");

}  // namespace casimir
