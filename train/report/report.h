// `orrery report`: one HTML page about a run or the demo.
#ifndef TRAIN_REPORT_H
#define TRAIN_REPORT_H

#include "base/status.h"

// Local. `orrery report RUN_DIR [--out FILE]`; argv[0] is "report". Writes one self-contained HTML
// page from what the folder holds, RUN_DIR/report.html unless said. ORR_ECONFIG for bad usage,
// ORR_ENOTFOUND when there is nothing to report. With --compare, two runs side by side.
orr_code train_cmd_report(int argc, char **argv);
// Local. The same for a program: path NULL = RUN_DIR/report.html.
orr_code train_report_write(const char *run_dir, const char *path);
// Local. Two runs on one page.
orr_code train_report_compare(const char *a, const char *b, const char *path);

#endif
