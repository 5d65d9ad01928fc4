#include "train/cli/import_times.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static orr_code parse_turn(const orr_args *args, data_import_options *o) {
  const char *flip = orr_args_text(args, "flip", NULL);
  int64_t degrees = 0;
  ORR_TRY(orr_args_i64(args, "rotate", 0, 270, &degrees));
  ORR_CHECK(degrees % 90 == 0, ORR_ECONFIG,
            "orrery data import: --rotate: got %d, wanted 90, 180 or 270 (degrees clockwise)",
            (int)degrees);
  o->rotate = (int)degrees;
  if (!flip) return ORR_OK;
  ORR_CHECK(strcmp(flip, "h") == 0 || strcmp(flip, "v") == 0 || strcmp(flip, "hv") == 0,
            ORR_ECONFIG,
            "orrery data import: --flip: got '%s', wanted h (left and right are swapped) or v (top "
            "and bottom)",
            flip);
  o->flip_h = strchr(flip, 'h') != NULL;
  o->flip_v = strchr(flip, 'v') != NULL;
  return ORR_OK;
}

static orr_code parse_align(const orr_args *args, data_import_options *o) {
  static const char *const names[] = {
      [DATA_ALIGN_AUTO] = "auto", [DATA_ALIGN_ROWS] = "rows", [DATA_ALIGN_TIME] = "time"};
  enum { NAMES = sizeof names / sizeof *names };
  const char *text = orr_args_text(args, "align", "auto");
  int k = 0;
  while (k < NAMES && strcmp(names[k], text) != 0) k++;
  ORR_CHECK(k < NAMES, ORR_ECONFIG,
            "orrery data import: --align: got '%s', wanted auto, rows or time", text);
  o->align = (data_import_align_by)k;
  o->time_column = orr_args_text(args, "time-column", NULL);
  ORR_TRY(orr_args_f64(args, "time-offset", -1e9, 1e9, &o->time_offset));
  ORR_TRY(orr_args_f64(args, "action-fps", 1e-3, 1e6, &o->action_fps));
  const bool by_time = o->time_column || o->time_offset != 0 || o->action_fps > 0;
  ORR_CHECK(o->align != DATA_ALIGN_ROWS || !by_time, ORR_ECONFIG,
            "orrery data import: --align rows takes a row of actions a frame; --time-column, "
            "--time-offset and --action-fps say something else");
  if (by_time) o->align = DATA_ALIGN_TIME;
  return ORR_OK;
}

static orr_code fail_one_hot(const char *text) {
  return ORR_FAIL(ORR_ECONFIG,
                  "orrery data import: --one-hot: got '%s', wanted NAME:N or NAME:WORD|WORD|..., "
                  "with commas in between, e.g. action:5 or move:left|right|none",
                  text);
}

// The choices after a name's colon: a number, or words with bars in between.
static orr_code parse_choices(train_import_times *t, char *at, const char *whole,
                              data_one_hot *out) {
  char *end;
  int64_t n = strtoll(at, &end, 10);
  if (end != at && !*end) {
    if (n < 2 || n > TRAIN_ONE_HOT_WORDS) return fail_one_hot(whole);
    out->n = n;
    return ORR_OK;
  }
  out->words = t->words + t->word_count;
  for (char *bar; at; at = bar) {
    bar = strchr(at, '|');
    if (bar) *bar++ = 0;
    if (!*at || t->word_count == TRAIN_ONE_HOT_WORDS) return fail_one_hot(whole);
    t->words[t->word_count++] = at;
    out->n++;
  }
  return out->n >= 2 ? ORR_OK : fail_one_hot(whole);
}

static orr_code parse_one_hot(const orr_args *args, train_import_times *t, data_import_options *o) {
  const char *text = orr_args_text(args, "one-hot", NULL);
  if (!text) return ORR_OK;
  int n = snprintf(t->text, sizeof t->text, "%s", text);
  if (n < 1 || (size_t)n >= sizeof t->text) return fail_one_hot(text);
  for (char *at = t->text, *comma; at; at = comma) {
    comma = strchr(at, ',');
    if (comma) *comma++ = 0;
    char *colon = strrchr(at, ':');
    if (!colon || colon == at || o->one_hot_count == TRAIN_ONE_HOT_MAX) return fail_one_hot(text);
    *colon = 0;
    data_one_hot *h = &t->one_hot[o->one_hot_count++];
    *h = (data_one_hot){.name = at};
    ORR_TRY(parse_choices(t, colon + 1, text, h));
  }
  o->one_hot = t->one_hot;
  return ORR_OK;
}

orr_code train_import_times_parse(const orr_args *args, train_import_times *t,
                                  data_import_options *o) {
  ORR_TRY(parse_turn(args, o));
  ORR_TRY(parse_align(args, o));
  ORR_TRY(parse_one_hot(args, t, o));
  o->no_actions = orr_args_flag(args, "no-actions");
  ORR_CHECK(!o->no_actions || (!o->actions.n && !o->one_hot_count), ORR_ECONFIG,
            "orrery data import: --no-actions, but also which columns are actions; leave one away");
  const char *audio = orr_args_text(args, "audio", NULL);
  if (!audio) return ORR_OK;
  ORR_CHECK(strcmp(audio, "mel") == 0, ORR_ECONFIG,
            "orrery data import --audio: got '%s', wanted mel", audio);
  ORR_CHECK(!o->no_actions && !o->actions.n && !o->one_hot_count, ORR_ECONFIG,
            "orrery data import: --audio makes sound the actions, but others are named, too; leave "
            "one away");
  o->sound = o->no_actions = true;
  return ORR_OK;
}
