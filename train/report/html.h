// Text that grows: the report is written into one of these. Running out of memory is remembered
// and makes later calls do nothing, so that only the end has to look.
#ifndef TRAIN_REPORT_HTML_H
#define TRAIN_REPORT_HTML_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

typedef struct {
  char *text;
  size_t used, room;
  bool failed;
} train_html;

// `markup` as it stands.
void train_html_put(train_html *h, const char *markup);
// printf; texts from outside must go through train_html_text instead.
void train_html_format(train_html *h, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
// Any bytes as text: & < > " ' are escaped, control characters and broken UTF-8 become U+FFFD.
// Fit for elements and for attributes in double quotes.
void train_html_text(train_html *h, const char *text);
void train_html_text_bytes(train_html *h, const char *p, size_t bytes);
// A quoted JSON string, fit for a <script> element.
void train_html_json(train_html *h, const char *text);
void train_html_base64(train_html *h, const void *p, size_t bytes);
// ORR_ENOMEM when something above could not grow.
orr_code train_html_status(const train_html *h);
void train_html_release(train_html *h);

typedef struct {
  char s[32];
} train_number;
// A number for people in `digits` significant digits: 0.512, 31.4, 20.1k, 3e-4; whole numbers
// without decimals; a dash for NaN.
train_number train_number_of(double value, int digits);
// A change in percent, "+3.1%": none has no sign.
train_number train_change_of(double percent);
// A span of time for people: "640 ms", "12.4 s", "3 min 20 s", "2 h 05 min".
train_number train_duration_of(double seconds);

#endif
