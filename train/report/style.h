// The looks of a report: its style sheet, its script and its mark.
#ifndef TRAIN_REPORT_STYLE_H
#define TRAIN_REPORT_STYLE_H

extern const char train_report_css[];
extern const char train_report_js[];   // hover values; a report reads well without it
extern const char train_report_mark[]; // an SVG element

#endif
