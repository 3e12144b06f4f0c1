#include <filesystem>

#include "core/error.h"
#include "core/files.h"
#include "core/parallel.h"
#include "trainers/command_inputs.h"
#include "trainers/commands.h"
#include "trainers/report.h"
#include "trainers/report_page.h"
#include "trainers/report_plots.h"

namespace casimir {

namespace {

namespace fs = std::filesystem;

// The frames to evaluate, and what they are called; none, and why.
struct Evaluated {
  std::vector<Frame> frames;
  std::string source, lacking;
};

Evaluated evaluated_frames(const ReportCommand& command) {
  Evaluated out;
  std::error_code fault;
  if (!command.data.empty()) {
    out.frames = read_all(command.data, command.keys, command.index, "report");
    for (const std::string& file : command.data)
      out.source += (out.source.empty() ? "" : ", ") + file;
  } else if (fs::is_directory(command.model, fault)) {
    out.source = "validation set";
    out.frames = validation_of_run(command.model, out.lacking);
  } else {
    out.lacking = "the report is of a model without data";
  }
  return out;
}

void write_pictures(const ReportData& report, const std::string& folder) {
  make_folder(folder);
  std::vector<std::vector<Picture>> groups{curve_pictures(report.curves)};
  if (report.errors) {
    groups.push_back(error_pictures(*report.errors));
    groups.push_back(grouped_pictures(*report.errors));
  }
  for (const auto& pictures : groups)
    for (const Picture& picture : pictures)
      write_file_atomic((fs::path(folder) / (picture.name + ".svg")).string(), picture.svg);
}

}  // namespace

int report_command(const ReportCommand& command, const Console& console) {
  check<UsageError>(!command.data.empty() || (command.index == ":" && command.keys == ExtxyzKeys()),
                    "report: --index and the keys of labels are for DATA, which is missing");
  const std::string file = model_file_of(command.model);
  const std::string out =
      command.out.empty() ? (fs::path(file).parent_path() / "report.html").string() : command.out;
  std::vector<std::string> inputs = command.data;
  inputs.push_back(file);
  check_output(out, "report: --out", inputs);
  std::error_code fault;
  check<IoError>(command.svg.empty() || !fs::exists(command.svg, fault) ||
                     fs::is_directory(command.svg, fault),
                 command.svg, ": cannot write pictures there: it is no folder");
  check_device(command.device, "report");
  set_num_threads(static_cast<int>(command.threads));

  const Model model =
      load_model(file, type_of(command.dtype), StepOptions{.device = command.device}.device_kind());
  Evaluated evaluated = evaluated_frames(command);
  check_elements(model, file, evaluated.frames);
  ReportData report = describe(command.model, model);
  report.lacking = evaluated.lacking;
  if (evaluated.lacking.empty()) add_errors(report, model, evaluated.frames, evaluated.source);
  if (!report.lacking.empty())
    console.notes << "note: no errors are shown: " << report.lacking << "\n";
  write_file_atomic(out, report_page(report));
  console.out << "report: " << out << "\n";
  if (!command.svg.empty()) {
    write_pictures(report, command.svg);
    console.out << "pictures: " << command.svg << "\n";
  }
  return 0;
}

}  // namespace casimir
