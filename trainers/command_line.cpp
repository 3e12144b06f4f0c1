#include "trainers/command_line.h"

#include <charconv>
#include <CLI/CLI.hpp>
#include <memory>

#include "core/error.h"

namespace casimir {

namespace {

// Options take their values as text, so that a bad one gets a message in our words.
CLI::Option* text_option(CLI::App* app, const std::string& name, std::string& value,
                         const char* meaning, const char* type) {
  return app->add_option(name, value, meaning)->type_name(type)->take_last();
}

CLI::Option* integer_option(CLI::App* app, const std::string& name, int64_t low, int64_t high,
                            std::function<void(int64_t)> set, const char* meaning) {
  auto read = [=](const std::string& text) {
    int64_t value = 0;
    auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
    check<UsageError>(
        fault == std::errc() && end == text.data() + text.size() && value >= low && value <= high,
        app->get_name(), ": ", name, ": expected a whole number from ", low, " to ", high,
        ", found '", text, "'");
    set(value);
  };
  return app->add_option_function<std::string>(name, read, meaning)->type_name("N")->take_last();
}

CLI::Option* real_option(CLI::App* app, const std::string& name, double low, double high,
                         std::optional<double>& target, const char* meaning) {
  auto read = [=, &target](const std::string& text) {
    double value = 0;
    auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
    check<UsageError>(
        fault == std::errc() && end == text.data() + text.size() && value >= low && value <= high,
        app->get_name(), ": ", name, ": expected a number from ", low, " to ", high, ", found '",
        text, "'");
    target = value;
  };
  return app->add_option_function<std::string>(name, read, meaning)->type_name("X")->take_last();
}

CLI::Option* choice_option(CLI::App* app, const std::string& name, std::string& value,
                           const std::vector<std::string>& choices, const char* meaning) {
  auto read = [=, &value](const std::string& text) {
    std::string list;
    for (const auto& choice : choices) list += (list.empty() ? "" : ", ") + choice;
    check<UsageError>(std::find(choices.begin(), choices.end(), text) != choices.end(),
                      app->get_name(), ": ", name, ": expected one of ", list, ", found '", text,
                      "'");
    value = text;
  };
  return app->add_option_function<std::string>(name, read, meaning)->type_name("NAME")->take_last();
}

void add_threads(CLI::App* app, std::function<void(int64_t)> set) {
  integer_option(app, "--threads", 0, 1024, std::move(set), "threads to use; 0: all");
}

void add_arithmetic(CLI::App* app, std::string& dtype, std::string& device) {
  choice_option(app, "--dtype", dtype, {"float32", "float64"},
                "number type to compute in (that of the model)");
  choice_option(app, "--device", device, {"cpu", "cuda"}, "where to compute (cpu)");
}

void add_keys(CLI::App* app, ExtxyzKeys& keys) {
  text_option(app, "--energy-key", keys.energy, "key that holds the energy (energy)", "KEY");
  text_option(app, "--forces-key", keys.forces, "column that holds the forces (forces)", "KEY");
  text_option(app, "--stress-key", keys.stress, "key that holds the stress (stress)", "KEY");
  text_option(app, "--virial-key", keys.virial, "key that holds the virial (virial)", "KEY");
  text_option(app, "--config-type-key", keys.config_type,
              "key that names the kind of a frame (config_type)", "KEY");
}

CLI::App* add_command(CLI::App& parent, const char* name, const char* meaning,
                      const char* examples) {
  CLI::App* app = parent.add_subcommand(name, meaning);
  app->set_help_flag("-h,--help", "this text");
  app->footer(examples);
  return app;
}

void add_train(CLI::App& program, Run& run) {
  auto* app =
      add_command(program, "train", "train the potential that a YAML file describes",
                  "Examples:\n"
                  "  casimir train configs/quickstart.yaml\n"
                  "  casimir train configs/3bpa/mace-l0.yaml train.epochs=10 model.l_max=2\n"
                  "  casimir train my.yaml --dry-run      what it would do, and how long a "
                  "step takes\n"
                  "Every key: casimir help config");
  auto command = std::make_shared<TrainCommand>();
  app->add_option("CONFIG", command->config, "YAML file")->required()->type_name("");
  app->add_option("KEY", command->overrides, "replace a key: train.optimizer.lr=1e-3")
      ->type_name("=VALUE ...");
  text_option(app, "--run-dir", command->run_dir, "folder of the run (runs/<name of CONFIG>)",
              "DIR");
  text_option(app, "--resume", command->resume,
              "auto: go on from the newest good checkpoint of the run; never; or a checkpoint",
              "auto|never|FILE");
  auto* dry_run =
      app->add_flag("--dry-run", command->dry_run,
                    "print data, model, memory, steps and time per step; write nothing");
  app->add_flag("--check-finite", command->check_finite,
                "test every result and name the first operation that makes NaN or infinity");
  app->add_flag("--profile", command->profile,
                "print at the end where the time of the steps went, by operation and scope")
      ->excludes(dry_run);
  add_threads(app, [=](int64_t n) { command->threads = n; });
  app->callback([=, &run] {
    run = [=](const Console& console) { return train_command(*command, console); };
  });
}

void add_evaluate(CLI::App& program, Run& run) {
  auto* app = add_command(program, "evaluate", "errors of a model on data, and its predictions",
                          "Examples:\n"
                          "  casimir evaluate runs/quickstart test.xyz\n"
                          "  casimir evaluate model.safetensors a.xyz b.xyz.gz --json errors.json\n"
                          "  casimir evaluate model.safetensors new.xyz --predictions out.xyz\n"
                          "  casimir evaluate runs/a runs/b runs/c test.xyz    a committee: errors "
                          "of the mean, spread");
  auto command = std::make_shared<EvaluateCommand>();
  app->add_option("MODEL", command->model, "model file, or the folder of a run")
      ->required()
      ->type_name("");
  app->add_option("DATA", command->data, "further models, then extended XYZ files, plain or .gz")
      ->required()
      ->type_name("");
  text_option(app, "--index", command->index, "frames of each file: 0:100, ::10, -5:", "SLICE");
  text_option(app, "--json", command->json, "write the errors there", "FILE");
  text_option(app, "--predictions", command->predictions,
              "write the frames with casimir_energy, casimir_forces, casimir_stress (and, of "
              "several models, casimir_energy_std, casimir_forces_std)",
              "FILE");
  integer_option(
      app, "--batch-size", 1, 1000000, [=](int64_t n) { command->batch_size = n; },
      "frames per batch (by the number of edges)");
  add_arithmetic(app, command->dtype, command->device);
  add_threads(app, [=](int64_t n) { command->threads = n; });
  add_keys(app, command->keys);
  app->callback([=, &run] {
    run = [=](const Console& console) { return evaluate_command(*command, console); };
  });
}

void add_report(CLI::App& program, Run& run) {
  auto* app = add_command(program, "report", "one page: learning curves, parity, errors, settings",
                          "Examples:\n"
                          "  casimir report runs/quickstart                on its validation set\n"
                          "  casimir report runs/quickstart test.xyz --out test.html\n"
                          "  casimir report model.safetensors test.xyz --svg pictures");
  auto command = std::make_shared<ReportCommand>();
  app->add_option("MODEL", command->model, "model file, or the folder of a run")
      ->required()
      ->type_name("");
  app->add_option("DATA", command->data,
                  "extended XYZ files, plain or .gz (a run's validation set)")
      ->type_name("");
  text_option(app, "--out", command->out, "the page (report.html beside the model)", "FILE");
  text_option(app, "--svg", command->svg, "write the pictures there, too, as SVG", "FOLDER");
  text_option(app, "--index", command->index, "frames of each file: 0:100, ::10, -5:", "SLICE");
  add_arithmetic(app, command->dtype, command->device);
  add_threads(app, [=](int64_t n) { command->threads = n; });
  add_keys(app, command->keys);
  app->callback([=, &run] {
    run = [=](const Console& console) { return report_command(*command, console); };
  });
}

void add_info(CLI::App& program, Run& run) {
  auto* app = add_command(program, "info", "what a model, checkpoint, run or data set holds",
                          "Examples:\n"
                          "  casimir info runs/quickstart/model.safetensors\n"
                          "  casimir info train.xyz");
  auto command = std::make_shared<InfoCommand>();
  app->add_option("FILE", command->path,
                  "model, checkpoint, data set, or folder of a run; none: the program itself")
      ->type_name("");
  app->add_flag("--config", command->full_config, "print the whole configuration of a model");
  add_keys(app, command->keys);
  app->callback(
      [=, &run] { run = [=](const Console& console) { return info_command(*command, console); }; });
}

void add_check(CLI::App& program, Run& run) {
  auto* app = add_command(program, "check",
                          "test a model: symmetries, forces and stress, smoothness, additivity",
                          "Examples:\n"
                          "  casimir check runs/quickstart\n"
                          "  casimir check model.safetensors test.xyz --frames 10\n"
                          "Ends with 0 when every number is within its bound, with 1 otherwise.");
  auto command = std::make_shared<CheckCommand>();
  app->add_option("MODEL", command->model, "model file, or the folder of a run")
      ->required()
      ->type_name("");
  app->add_option("DATA", command->data,
                  "extended XYZ file with structures (made from the model's elements)")
      ->type_name("");
  integer_option(
      app, "--frames", 1, 1000000, [=](int64_t n) { command->frames = n; },
      "structures to use (4)");
  integer_option(
      app, "--seed", 0, 1000000000, [=](int64_t n) { command->seed = n; },
      "of rotations and structures (1)");
  add_threads(app, [=](int64_t n) { command->threads = n; });
  add_keys(app, command->keys);
  app->callback([=, &run] {
    run = [=](const Console& console) { return check_command(*command, console); };
  });
}

void add_data(CLI::App& program, Run& run) {
  auto* data = add_command(program, "data", "make data sets",
                           "Example:\n  casimir data make silicon --out silicon.xyz --frames 200");
  data->require_subcommand(1);
  auto* make = add_command(*data, "make", "make a data set with a built-in potential",
                           "Example:\n  casimir data make silicon --out silicon.xyz --frames 200");
  make->require_subcommand(1);
  auto* app = add_command(*make, "silicon",
                          "rattled, strained and defective silicon, labelled by the "
                          "Stillinger-Weber potential",
                          "Example:\n  casimir data make silicon --out silicon.xyz --seed 7");
  auto command = std::make_shared<SiliconCommand>();
  text_option(app, "--out", command->out, "file to write; .gz is compressed", "FILE")->required();
  integer_option(
      app, "--frames", 1, 1000000, [=](int64_t n) { command->frames = n; },
      "number of frames (250)");
  integer_option(
      app, "--seed", 0, 1000000000, [=](int64_t n) { command->seed = n; },
      "of the random numbers (1)");
  auto add_repeat = [=](const std::vector<std::string>& texts) {
    for (const std::string& text : texts) {
      int64_t n = 0;
      auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), n);
      check<UsageError>(
          fault == std::errc() && end == text.data() + text.size() && n >= 1 && n <= 100,
          "silicon: --repeat: expected three whole numbers from 1 to 100, found '", text, "'");
      command->repeat.push_back(n);
    }
  };
  app->add_option_function<std::vector<std::string>>(
         "--repeat", add_repeat, "cells of eight atoms along each axis (a mix of small ones)")
      ->expected(3)
      ->type_name("N N N");
  real_option(app, "--rattle-min", 0, 2, command->rattle_min,
              "smallest standard deviation of the displacements, A");
  real_option(app, "--rattle-max", 0, 2, command->rattle_max, "largest, A");
  real_option(app, "--strain", 0, 0.5, command->strain, "largest component of the random strain");
  real_option(app, "--vacancies", 0, 1, command->vacancies, "share of frames that lack an atom");
  app->callback([=, &run] {
    run = [=](const Console& console) { return data_silicon_command(*command, console); };
  });
}

void add_help(CLI::App& program, Run& run) {
  auto* app = add_command(program, "help", "how to begin; help config: every key", "");
  auto topic = std::make_shared<std::string>();
  app->add_option("TOPIC", *topic, "config, or a command")->type_name("");
  app->callback([=, &run, &program] {
    run = [=, &program](const Console& console) {
      for (const CLI::App* command : program.get_subcommands([](const CLI::App*) { return true; }))
        if (command->get_name() == *topic) {
          console.out << command->help(program.get_name());
          return 0;
        }
      return help_command(*topic, console);
    };
  });
}

std::string near_or_all(const std::string& word, const std::vector<std::string>& names) {
  std::string text = did_you_mean(word, names);
  if (!text.empty()) return text;
  for (const std::string& name : names) text += (text.empty() ? "; there is " : ", ") + name;
  return text;
}

// CLI11's complaint in our words: what was expected, what was found.
[[noreturn]] void reject(const CLI::ParseError& fault, CLI::App& program) {
  const CLI::App* app = &program;
  while (!app->get_subcommands().empty()) app = app->get_subcommands().back();
  std::string start = app == &program ? "" : app->get_name() + ": ";
  std::vector<std::string> rest = program.remaining(true);
  std::vector<std::string> names, options;
  for (const CLI::App* sub : app->get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(sub->get_name());
  for (const CLI::Option* option : app->get_options())
    for (const std::string& name : option->get_lnames()) options.push_back("--" + name);

  if (!rest.empty()) {
    const std::string word = rest.front().substr(0, rest.front().find('='));
    if (word.starts_with("-"))
      fail<UsageError>(start, "unknown option '", word, "'", did_you_mean(word, options));
    if (!names.empty())
      fail<UsageError>(start, "unknown command '", word, "'", near_or_all(word, names));
    fail<UsageError>(start, "unexpected argument '", word, "'");
  }
  if (fault.get_name() == "RequiredError" && !names.empty()) {
    std::string list;
    for (const auto& name : names) list += (list.empty() ? "" : ", ") + name;
    fail<UsageError>(start, "expected a command: ", list);
  }
  std::string text = fault.what();
  if (fault.get_name() == "RequiredError") {
    text = text.substr(0, text.find(" is required")) + " is missing; see casimir help " +
           (app->get_name() == "silicon" ? "data" : app->get_name());
  } else if (fault.get_name() == "ArgumentMismatch") {
    std::string option = text.substr(0, text.find(':'));
    text = option + (option == "--repeat" ? ": expected three values" : ": expected a value");
  } else if (fault.get_name() == "ConversionError" && text.starts_with("Could not convert: ")) {
    std::string option = text.substr(19);
    text = option.substr(0, option.find(' ')) + ": takes no value";
  }
  fail<UsageError>(start, text);
}

// The help of the innermost command that was named.
std::string help_of(const CLI::App& program) {
  const CLI::App* app = &program;
  std::string prefix = program.get_name();
  while (!app->get_subcommands().empty()) {
    if (app != &program) prefix += " " + app->get_name();
    app = app->get_subcommands().back();
  }
  return app->help(prefix);
}

Run print(std::string text) {
  return [text = std::move(text)](const Console& console) {
    console.out << text;
    return 0;
  };
}

}  // namespace

Run read_command_line(int argc, const char* const* argv) {
  auto program = std::make_shared<CLI::App>("", "casimir");
  program->set_help_flag();
  bool help = false, version = false;
  program->add_flag("-h,--help", help, "how to begin");
  program->add_flag("--version", version, "version, instruction set, libraries");
  program->require_subcommand(0, 1);
  Run run;
  add_train(*program, run);
  add_evaluate(*program, run);
  add_report(*program, run);
  add_info(*program, run);
  add_check(*program, run);
  add_data(*program, run);
  add_help(*program, run);
  try {
    program->parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    return print(help_of(*program));
  } catch (const CLI::ParseError& fault) {
    reject(fault, *program);
  }
  if (version) return print(version_text());
  if (help) return print(usage_text());
  if (run) return [program, run](const Console& console) { return run(console); };
  return [](const Console& console) {
    console.notes << usage_text();
    return 2;
  };
}

}  // namespace casimir
