#include "trainers/report_page.h"

#include <fmt/format.h>

#include "trainers/report_plots.h"

namespace casimir {

namespace {

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
  return text;
}

// "meV/A^3" -> "meV/Å³"; "5.000 A" -> "5.000 Å"
std::string typeset(const std::string& text) {
  std::string out = replaced(replaced(text, "/A^3", "/Å³"), "/A", "/Å");
  if (out.ends_with(" A")) out.replace(out.size() - 1, 1, "Å");
  return out;
}

std::string element(const char* tag, const std::string& content, const std::string& look = "") {
  return fmt::format("<{}{}>{}</{}>", tag, look.empty() ? "" : " class=\"" + look + "\"", content,
                     tag);
}

std::string table_html(const Table& table) {
  std::string head, body;
  for (const Table::Column& column : table.columns()) {
    std::string name = escaped(column.name);
    if (!column.unit.empty()) name += " " + element("small", escaped(typeset(column.unit)));
    head += element("th", name, column.left ? "left" : "");
  }
  bool ruled = false;
  for (const auto& row : table.rows()) {
    std::string cells;
    for (size_t c = 0; c < row.size(); ++c)
      cells += element("td", escaped(row[c]), table.columns()[c].left ? "left" : "");
    if (!row.empty()) body += element("tr", cells, ruled ? "ruled" : "") + "\n";
    ruled = row.empty();
  }
  return "<div class=\"scroll\"><table>\n<thead>" + element("tr", head) + "</thead>\n<tbody>\n" +
         body + "</tbody>\n</table></div>\n";
}

std::string facts_html(const Facts& facts) {
  std::string out;
  for (const auto& [name, value] : facts)
    out += element("dt", escaped(name)) + element("dd", escaped(typeset(value))) + "\n";
  return element("dl", "\n" + out) + "\n";
}

std::string figure(const Picture& picture) {
  return "<figure id=\"" + picture.name + "\">\n" + picture.svg + "</figure>\n";
}

std::string pictures_html(const std::vector<Picture>& pictures) {
  std::string out;
  for (const Picture& picture : pictures) out += figure(picture);
  return out.empty() ? "" : "<div class=\"pictures\">\n" + out + "</div>\n";
}

std::string section(const char* title, const std::string& content) {
  if (content.empty()) return "";
  return "<section>\n" + element("h2", title) + "\n" + content + "</section>\n";
}

std::string paragraph(const std::string& text) {
  return text.empty() ? "" : element("p", escaped(text), "note") + "\n";
}

std::string tile(const char* name, const std::string& value, const char* unit) {
  return "<div class=\"tile\">" + element("span", name) + element("b", escaped(value)) +
         element("small", unit) + "</div>\n";
}

// The errors in one line of large numbers.
std::string tiles_html(const ReportErrors& errors) {
  const Errors& total = errors.numbers.errors.total;
  std::string out;
  auto add = [&](const char* name, const ErrorSum& sum, const char* unit) {
    if (sum.count) out += tile(name, number_text(1000 * sum.rmse()), unit);
  };
  add("energy RMSE", total.energy_per_atom, "meV/atom");
  add("force RMSE", total.forces, "meV/Å");
  const std::string relative = relative_text(total.forces, all_label_forces(errors.numbers));
  if (relative != "-") out += tile("force RMSE, relative", relative, "%");
  add("stress RMSE", total.stress, "meV/Å³");
  return "<div class=\"tiles\">\n" + out + "</div>\n";
}

std::string elements_html(const ReportErrors& errors) {
  if (errors.elements.empty()) return "";
  Table table({{"element", "", true},
               {"atoms", ""},
               {"F RMSE", "meV/A"},
               {"F MAE", "meV/A"},
               {"F RMS", "eV/A"},
               {"F RMSE", "%"}});
  for (const auto& [number, element] : errors.elements)
    table.row({symbol_of(number), count_text(element.atoms),
               number_text(1000 * element.forces.rmse()), number_text(1000 * element.forces.mae()),
               number_text(element.labels.rmse()), relative_text(element.forces, element.labels)});
  return table_html(table);
}

// The table beside the bars.
std::string groups_html(const ReportErrors& errors) {
  std::string out = elements_html(errors);
  if (out.empty()) return out;
  for (const Picture& picture : grouped_pictures(errors)) out += figure(picture);
  return "<div class=\"columns\">\n" + out + "</div>\n";
}

std::string worst_html(const ReportErrors& errors) {
  if (errors.worst.empty()) return "";
  Table table({{"frame", "", true},
               {"config_type", "", true},
               {"formula", "", true},
               {"E error", "meV/atom"},
               {"F RMSE", "meV/A"},
               {"largest F error", "meV/A"},
               {"at atom", "", true}});
  auto milli = [](std::optional<double> value) {
    return number_text(value ? std::optional(1000 * *value) : value);
  };
  for (const WorstFrame& frame : errors.worst)
    table.row({frame.where, frame.config_type, frame.formula, milli(frame.energy),
               milli(frame.forces), milli(frame.largest), frame.atom.empty() ? "-" : frame.atom});
  return table_html(table);
}

std::string errors_html(const ReportData& report) {
  if (!report.errors) return paragraph("No errors are shown: " + report.lacking + ".");
  const ReportErrors& errors = *report.errors;
  const FrameErrors& numbers = errors.numbers;
  const Errors& total = numbers.errors.total;
  std::string out = paragraph("On " + errors.source + ": " + plural(total.frames, "frame") + ", " +
                              plural(total.atoms, "atom") + ".");
  out += table_html(errors_by_type(numbers, numbers.by_file.size() > 1));
  out += paragraph(lacking_text(numbers)) + pictures_html(error_pictures(errors));
  if (total.forces.count)
    out += paragraph(
        "Shades tell how many points fall into a cell. R² is of the quantities as drawn.");
  return out;
}

std::string json_html(const ReportErrors& errors) {
  return "<script type=\"application/json\" id=\"errors\">" +
         replaced(errors.numbers.errors.json(), "<", "\\u003c") + "</script>\n";
}

std::string details(const char* title, const std::string& text) {
  if (text.empty()) return "";
  return "<details>" + element("summary", title) + element("pre", escaped(text)) + "</details>\n";
}

std::string column(const char* title, const std::string& content) {
  return "<div>\n" + element("h3", title) + "\n" + content + "</div>\n";
}

std::string model_html(const ReportData& report) {
  std::string out = column("Potential", facts_html(report.model));
  if (report.energies) out += column("Reference energies", table_html(*report.energies));
  if (report.parameters) out += column("Parameters", table_html(*report.parameters));
  return "<div class=\"columns\">\n" + out + "</div>\n";
}

std::string run_html(const ReportData& report) {
  if (report.training.empty() && report.machine.empty()) return "";
  std::string out;
  if (!report.training.empty()) out += column("Course", facts_html(report.training));
  if (!report.machine.empty()) out += column("Machine", facts_html(report.machine));
  return "<div class=\"columns\">\n" + out + "</div>\n";
}

std::string data_html(const ReportData& report) {
  std::string out = report.files ? table_html(*report.files) : "";
  if (!report.data.empty()) out += element("pre", escaped(report.data)) + "\n";
  return out;
}

}  // namespace

std::string report_page(const ReportData& report) {
  const std::string title = escaped(report.title);
  std::string out =
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
      "<meta name=\"color-scheme\" content=\"light dark\"/>\n" +
      element("title", title + " – casimir") + "\n<style>" + report_style +
      "</style>\n</head>\n<body>\n<main>\n<header>\n" + element("h1", title) + "\n" +
      element("p", escaped(report.subtitle)) + "\n</header>\n";
  if (report.errors) out += tiles_html(*report.errors);
  out += section("Learning curves", pictures_html(curve_pictures(report.curves)));
  out += section("Errors", errors_html(report));
  if (report.errors) {
    out += section("Errors by element and config_type", groups_html(*report.errors));
    out += section("Worst frames", worst_html(*report.errors));
  }
  out += section("Model", model_html(report));
  out += section("Training", run_html(report));
  out += section("Data", data_html(report));
  out += section("Configuration",
                 details("every key, with its default where none was given", report.config));
  if (report.errors) out += json_html(*report.errors);
  return out + "</main>\n</body>\n</html>\n";
}

}  // namespace casimir
