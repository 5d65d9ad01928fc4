// Reading the record of a run; train/observe/fingerprint_log.h has the format.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "train/observe/journal.h"
#include "train/observe/fingerprint_log.h"

struct train_fingerprint_log_reader {
  int64_t from, to;
  json_t *heads;    // start lines whose steps count, by growing start
  json_t **step;    // [to - from]: lines; NULL = not recorded
  int64_t recorded; // the last step of all
};

static int64_t number(const json_t *line, const char *key) {
  return json_integer_value(json_object_get(line, key));
}

static void forget_steps(train_fingerprint_log_reader *r, int64_t behind) {
  for (int64_t s = behind < r->from ? r->from : behind; s < r->to; s++) {
    json_decref(r->step[s - r->from]);
    r->step[s - r->from] = NULL;
  }
  if (r->recorded > behind) r->recorded = behind;
}

static orr_code take_start(train_fingerprint_log_reader *r, json_t *line) {
  const int64_t start = number(line, "start");
  size_t n = json_array_size(r->heads);
  while (n > 0 && number(json_array_get(r->heads, n - 1), "start") >= start)
    json_array_remove(r->heads, --n);
  forget_steps(r, start);
  ORR_CHECK(json_array_append(r->heads, line) == 0, ORR_ENOMEM, "record of steps: out of memory");
  return ORR_OK;
}

static orr_code take_line(void *reader, json_t *line) {
  train_fingerprint_log_reader *r = reader;
  if (json_object_get(line, "start")) return take_start(r, line);
  const int64_t step = number(line, "step");
  if (step > r->recorded) r->recorded = step;
  if (step > r->from && step <= r->to) {
    json_decref(r->step[step - r->from - 1]);
    r->step[step - r->from - 1] = json_incref(line);
  }
  return ORR_OK;
}

static orr_code read_file(train_fingerprint_log_reader *r, const char *run_dir, const char *name) {
  orr_path path;
  ORR_TRY(orr_fs_join(path, sizeof path, run_dir, name));
  int64_t bad = 0;
  const orr_code rc = train_journal_read(path, take_line, r, &bad);
  if (bad > 0) ORR_WARN("%s: %" PRId64 " lines cannot be read and are left out", path, bad);
  return rc;
}

static orr_code check_whole(const train_fingerprint_log_reader *r, const char *run_dir) {
  ORR_CHECK(json_array_size(r->heads) > 0, ORR_ENOTFOUND,
            "%s/record.jsonl: no step is recorded; train with guard.record_every above 0", run_dir);
  const int64_t first = number(json_array_get(r->heads, 0), "start");
  ORR_CHECK(first <= r->from, ORR_ENOTFOUND,
            "%s/record.jsonl begins behind step %" PRId64 ", wanted from step %" PRId64
            " on; replay a later step, and raise guard.record_bytes",
            run_dir, first, r->from + 1);
  ORR_CHECK(r->to <= r->recorded, ORR_ENOTFOUND,
            "%s/record.jsonl ends with step %" PRId64 ", wanted step %" PRId64
            "; replay one that is recorded",
            run_dir, r->recorded, r->to);
  return ORR_OK;
}

orr_code train_fingerprint_log_open(const char *run_dir, int64_t from, int64_t to,
                                    train_fingerprint_log_reader **out) {
  orr_code rc;
  train_fingerprint_log_reader *r = orr_calloc(1, sizeof *r);
  ORR_CHECK(r, ORR_ENOMEM, "record of steps: out of memory");
  *r = (train_fingerprint_log_reader){.from = from, .to = to, .heads = json_array()};
  r->step = orr_calloc((size_t)(to - from), sizeof *r->step);
  ORR_CHECK_GOTO(r->heads && r->step, fail, ORR_ENOMEM, "record of steps: out of memory");
  ORR_TRY_GOTO(read_file(r, run_dir, "record.1.jsonl"), fail);
  ORR_TRY_GOTO(read_file(r, run_dir, "record.jsonl"), fail);
  ORR_TRY_GOTO(check_whole(r, run_dir), fail);
  *out = r;
  return ORR_OK;
fail:
  train_fingerprint_log_close(r);
  return rc;
}

void train_fingerprint_log_close(train_fingerprint_log_reader *r) {
  if (!r) return;
  for (int64_t i = 0; r->step && i < r->to - r->from; i++) json_decref(r->step[i]);
  orr_free(r->step);
  json_decref(r->heads);
  orr_free(r);
}

const json_t *train_fingerprint_log_head(const train_fingerprint_log_reader *r, int64_t step) {
  size_t i = json_array_size(r->heads) - 1;
  while (i > 0 && number(json_array_get(r->heads, i), "start") >= step) i--;
  return json_array_get(r->heads, i);
}

int64_t train_fingerprint_log_ahead(const train_fingerprint_log_reader *r, int64_t step) {
  return number(train_fingerprint_log_head(r, step), "ahead");
}

bool train_fingerprint_log_whole(const train_fingerprint_log_reader *r, int64_t step,
                                 train_fingerprint *out, orr_hash_hex *chain) {
  enum { MOST = 1 << 20 };
  const json_t *line = r->step[step - r->from - 1];
  const int ranks = (int)json_array_size(json_object_get(line, "batch"));
  const char *hex = json_string_value(json_object_get(line, "chain"));
  if (ranks < 1 || ranks > MOST) return false;
  train_fingerprint *all = orr_malloc((size_t)ranks * sizeof *all);
  const bool whole = all && train_fingerprint_log_entry(r, step, ranks, all);
  if (whole) *out = train_fingerprint_whole(all, ranks);
  snprintf(chain->s, sizeof chain->s, "%s", hex ? hex : "");
  orr_free(all);
  return whole;
}

// The first step of all heads, and the last one of all steps.
static orr_code note_span(void *reader, json_t *line) {
  train_fingerprint_log_reader *r = reader;
  const json_t *start = json_object_get(line, "start");
  if (start && (r->from < 0 || json_integer_value(start) < r->from))
    r->from = json_integer_value(start);
  if (start && json_integer_value(start) < r->recorded) r->recorded = json_integer_value(start);
  if (!start && number(line, "step") > r->recorded) r->recorded = number(line, "step");
  return ORR_OK;
}

orr_code train_fingerprint_log_span(const char *run_dir, int64_t *from, int64_t *to) {
  static const char *const names[] = {"record.1.jsonl", "record.jsonl"};
  train_fingerprint_log_reader r = {.from = -1};
  int64_t bad = 0;
  for (int i = 0; i < 2; i++) {
    orr_path path;
    ORR_TRY(orr_fs_join(path, sizeof path, run_dir, names[i]));
    ORR_TRY(train_journal_read(path, note_span, &r, &bad));
  }
  ORR_CHECK(r.from >= 0 && r.recorded > r.from, ORR_ENOTFOUND,
            "%s/record.jsonl: no step is recorded; train with guard.record_every above 0", run_dir);
  *from = r.from;
  *to = r.recorded;
  return ORR_OK;
}

bool train_fingerprint_log_entry(const train_fingerprint_log_reader *r, int64_t step, int ranks,
                                 train_fingerprint *out) {
  const json_t *line = r->step[step - r->from - 1];
  if (!line) return false;
  for (int p = 0; p < TRAIN_FINGERPRINT_PARTS; p++) {
    const json_t *list = json_object_get(line, train_fingerprint_part_name(p));
    if ((int)json_array_size(list) != ranks) return false;
    for (int i = 0; i < ranks; i++) {
      const char *hex = json_string_value(json_array_get(list, (size_t)i));
      out[i].v[p] = hex ? strtoull(hex, NULL, 16) : 0;
    }
  }
  return true;
}
