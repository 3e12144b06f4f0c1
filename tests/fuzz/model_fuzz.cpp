// A model file or a checkpoint; see safetensors_file.
#include "tests/fuzz/fuzz.h"
#include "trainers/checkpoint.h"
#include "trainers/model_file.h"

using namespace casimir;
using namespace casimir::fuzz;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const MemoryFile file;
  file.hold(safetensors_file(text_of(data, size)));
  accepts([&] {
    const Model model = load_model(file.path());
    const Model again = read_model(model_content(model), "again");
    require(again.config == model.config && again.parameters->size() == model.parameters->size(),
            "a model reads back as itself");
  });
  accepts([&] {
    // A checkpoint has its checksum; a changed one gets it here.
    file.hold(safetensors_bytes(file.path(), read_safetensors(file.path())));
    const Checkpoint checkpoint = read_checkpoint(file.path());
    const std::string state = checkpoint.state.json();
    require(TrainState::parse(state, "again").json() == state, "a state reads back as itself");
  });
  return 0;
}
