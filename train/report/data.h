// What a report shows: the files of a run's folder and of its sub-runs (a folder one level down
// with a metrics.jsonl, an eval.json or pictures of its own), read forgivingly. A piece that is
// absent is left out; one that is damaged becomes a note. Local.
#ifndef TRAIN_REPORT_DATA_H
#define TRAIN_REPORT_DATA_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "train/observe/goodput.h"
#include "train/observe/metrics_table.h"

typedef enum { TRAIN_MEDIUM_GIF, TRAIN_MEDIUM_MP4, TRAIN_MEDIUM_PNG } train_medium_kind;

// A picture or film, whole in memory.
typedef struct {
  char *name; // of the file
  train_medium_kind kind;
  char *bytes;
  size_t size;
  int64_t width, height; // in pixels; 0 = unknown (MP4)
} train_medium;

#define TRAIN_REPORT_MEDIA 8

typedef struct {
  char *path, *name; // name: of the folder below the root; "" for the root itself
  bool has_metrics;
  train_columns metrics;
  json_t *eval;     // object or NULL
  json_t *exam;     // likewise, of exam.json
  json_t *branches; // of an evaluation by branch, an object a branch; NULL without
  int cases;
  train_medium *exam_case; // [cases] what exam/case-CONCEPT-RANGE.png show, by name
  json_t *history;         // array: the lines of history.jsonl; NULL without
  train_goodput goodput;   // zeros without
  char *config;            // text of config.yaml or NULL
  int64_t steps;           // planned, from the config; 0 = unknown
  bool tokenizer;          // the config trains a tokenizer
  double aspect;           // width over height of a frame, from the config; 0 = unknown
  int media;
  train_medium medium[TRAIN_REPORT_MEDIA]; // rollout* (films), then strip* (stills)
} train_report_run;

typedef struct {
  char *title; // name of the root folder
  int count;
  train_report_run *run; // the root first, then tokenizers, then the others, each by name
  int notes;
  char **note; // what could not be read, one sentence each
} train_report_data;

// ORR_ENOTFOUND when the folder is missing or holds nothing to show.
orr_code train_report_read(const char *dir, train_report_data *out);
void train_report_release(train_report_data *d);

#endif
