// A report as one HTML file: style, pictures and numbers in it, nothing fetched, no script run.
#pragma once

#include <string>

#include "trainers/report.h"

namespace casimir {

extern const char* const report_style;  // CSS: light and dark, as the reader's system is

// Well-formed as XML, too. The element with the id `errors` holds the text of ErrorTable::json(),
// with '<' as \u003c.
std::string report_page(const ReportData& report);

}  // namespace casimir
