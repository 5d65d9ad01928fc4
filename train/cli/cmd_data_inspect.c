// `orrery data inspect`: what a data set holds. Local.
#include "train/cli/cmd.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "data/set/action_stats.h"
#include "data/set/outcome.h"
#include "data/set/sheet.h"
#include "base/args.h"
#include "train/cli/inspect_lag.h"
#include "train/setup/remote_data.h"

#define SHEET_ROWS     6
#define SHEET_COLUMNS  10
#define RECORDINGS_MAX 12 // shown without --recordings

static const orr_option options[] = {
    {"sheet", "FILE.png", "write a picture: frames of some episodes with their actions",
     ORR_OPTION_ONCE},
    {"json", "FILE", "write the same facts for programs", ORR_OPTION_ONCE},
    {"recordings", NULL, "list every recording that was imported, not only the first ones",
     ORR_OPTION_ONCE},
    TRAIN_REMOTE_OPTION,
    {0},
};
static const orr_command command = {
    "data inspect", "DIR|URL", 1, 1, "Shows what a data set holds.", options,
};

static double hours(const data_index *x) {
  return (double)x->frames / x->format.fps / 3600;
}

// The shortest and the longest episode.
static void length_range(const data_index *x, int64_t *shortest, int64_t *longest) {
  *shortest = INT64_MAX;
  *longest = 0;
  for (int64_t i = 0; i < x->count; i++) {
    for (int64_t k = 0; k < x->shards[i].length_count; k++) {
      int64_t length = x->shards[i].lengths[k][0];
      if (length < *shortest) *shortest = length;
      if (length > *longest) *longest = length;
    }
  }
}

static void print_shape(const data_index *x) {
  const data_shard_format *f = &x->format;
  int64_t shortest, longest;
  length_range(x, &shortest, &longest);
  printf("%s\n", x->dir);
  printf("  source    %s\n", f->source);
  printf("  branch    %s\n", f->branch);
  if (f->height) {
    printf("  frames    %" PRId64 " x %" PRId64 " pixels (height x width)\n", f->height, f->width);
  }
  if (f->views.n) {
    char views[512];
    data_views_words(&f->views, views, sizeof views);
    printf("  views     %s\n", views);
  }
  if (f->S) printf("  tokens    %" PRId64 " a frame, of %" PRId64 " codes\n", f->S, f->codes);
  printf("  length    %" PRId64 " frames, %.3g hours at %g frames/s\n", x->frames, hours(x),
         f->fps);
  printf("  episodes  %" PRId64 " of %" PRId64 " to %" PRId64 " frames\n", x->episodes, shortest,
         longest);
  printf("  shards    %" PRId64 ", %.1f MB\n", x->count, (double)x->bytes / 1e6);
  const json_t *forks = json_object_get(x->json, "forks");
  if (forks) {
    printf("  forks     pairs of episodes with %" JSON_INTEGER_FORMAT " frames in common\n",
           json_integer_value(json_object_get(forks, "prompt")));
  }
  if (f->Q)
    printf("  state     %" PRId64 " components, %s to %s\n", f->Q, f->state_names[0],
           f->state_names[f->Q - 1]);
}

// One character a bin, as high as the bin is full beside the fullest.
static void print_bins(const uint64_t *bins) {
  static const char *const heights[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  uint64_t most = 1;
  for (int i = 0; i < DATA_ACTION_BINS; i++) most = bins[i] > most ? bins[i] : most;
  for (int i = 0; i < DATA_ACTION_BINS; i++) {
    fputs(heights[(bins[i] * 8 + most - 1) / most], stdout); // anything above 0 shows
  }
}

static void print_actions(const data_index *x, const data_action_stats *stats) {
  if (!x->format.A) {
    printf("  actions   none: frames alone\n");
    return;
  }
  printf("  actions   %" PRId64 "%*s      low     high     mean    deviation\n", x->format.A,
         x->format.A < 10 ? 23 : 22, "");
  for (int64_t i = 0; i < x->format.A; i++) {
    const data_action_stats *s = &stats[i];
    printf("    %-28.28s %8.3g %8.3g %8.3g %8.3g  |", x->format.action_names[i], s->low, s->high,
           s->mean, s->deviation);
    print_bins(s->bins);
    printf("|\n");
  }
}

// "name" of an object in a list, or the text that stands there itself.
static const char *name_at(const json_t *list, size_t i) {
  const json_t *entry = json_array_get(list, i);
  const char *name =
      json_string_value(json_is_object(entry) ? json_object_get(entry, "name") : entry);
  return name ? name : "?";
}

// Names of a list, numbered where they are episodes; all of them, or the first few.
static void print_names(const json_t *list, const char *title, bool numbered, bool all) {
  const size_t n = json_array_size(list),
               most = all || n <= RECORDINGS_MAX ? n : RECORDINGS_MAX - 2;
  if (n) printf("  %-9s %zu\n", title, n);
  for (size_t i = 0; i < most; i++) {
    const char *reason = json_string_value(json_object_get(json_array_get(list, i), "reason"));
    if (numbered)
      printf("    episode %-6zu %s\n", i, name_at(list, i));
    else
      printf("    %s%s%s\n", name_at(list, i), reason ? ": " : "", reason ? reason : "");
  }
  if (most < n) printf("    ... and %zu more; --recordings lists all\n", n - most);
}

static void print_recordings(const data_index *x, bool all) {
  print_names(json_object_get(x->json, "recordings"), "recordings", true, all);
  print_names(json_object_get(x->json, "held_out"), "held out", false, all);
  print_names(json_object_get(x->json, "skipped"), "skipped", false, all);
}

static void print_outcome(const data_index *x, const data_outcome *o) {
  const data_shard_format *f = &x->format;
  if (f->reward) printf("  reward    %.4g to %.4g, mean %.4g\n", o->low, o->high, o->mean);
  if (f->done) printf("  done      with the action of %" PRId64 " frames\n", o->done);
  if (f->success)
    printf("  success   %" PRId64 " of %" PRId64 " episodes\n", o->success, x->episodes);
}

static json_t *describe_actions(const data_index *x, const data_action_stats *stats) {
  json_t *list = json_array();
  for (int64_t i = 0; i < x->format.A; i++) {
    json_t *bins = json_array();
    for (int k = 0; k < DATA_ACTION_BINS; k++) {
      json_array_append_new(bins, json_integer((json_int_t)stats[i].bins[k]));
    }
    json_array_append_new(list, json_pack("{s:s, s:f, s:f, s:f, s:f, s:o}", "name",
                                          x->format.action_names[i], "low", stats[i].low, "high",
                                          stats[i].high, "mean", stats[i].mean, "deviation",
                                          stats[i].deviation, "bins", bins));
  }
  return list;
}

// The index but for its list of shards, and what the actions look like.
static orr_code write_json(const data_index *x, const data_action_stats *stats,
                           const data_outcome *o, const data_lag *lag, const char *path) {
  json_t *j = json_deep_copy(x->json);
  ORR_CHECK(j, ORR_ENOMEM, "%s: out of memory for the facts", path);
  json_object_set_new(j, "shards", json_integer(x->count));
  json_object_set_new(j, "hours", json_real(hours(x)));
  json_object_set_new(j, "actions", describe_actions(x, stats));
  json_object_set_new(j, "alignment", train_inspect_describe_lag(lag));
  if (x->format.reward)
    json_object_set_new(
        j, "reward", json_pack("{s:f, s:f, s:f}", "low", o->low, "high", o->high, "mean", o->mean));
  if (x->format.done) json_object_set_new(j, "done", json_integer(o->done));
  if (x->format.success) json_object_set_new(j, "success", json_integer(o->success));
  orr_code rc = orr_json_store(path, j);
  json_decref(j);
  return rc;
}

static orr_code inspect(const data_index *x, const orr_args *args, data_action_stats *stats) {
  const char *sheet = orr_args_text(args, "sheet", NULL), *json = orr_args_text(args, "json", NULL);
  data_outcome outcome;
  data_lag lag;
  print_shape(x);
  print_recordings(x, orr_args_flag(args, "recordings"));
  ORR_TRY(data_outcome_read(x, &outcome));
  print_outcome(x, &outcome);
  ORR_TRY(data_action_stats_read(x, stats));
  print_actions(x, stats);
  ORR_TRY(data_lag_find(x, stats, &lag));
  if (x->format.A) train_inspect_print_lag(x, &lag);
  if (json) ORR_TRY(write_json(x, stats, &outcome, &lag, json));
  if (!sheet) return ORR_OK;
  ORR_TRY(data_sheet_write(x, stats, SHEET_ROWS, SHEET_COLUMNS, sheet));
  ORR_INFO("%s: frames of %d episodes", sheet,
           x->episodes < SHEET_ROWS ? (int)x->episodes : SHEET_ROWS);
  return ORR_OK;
}

orr_code train_cmd_data_inspect(int argc, char **argv) {
  orr_args args;
  data_remote *remote = NULL;
  data_index *x = NULL;
  orr_code rc = ORR_OK;
  ORR_TRY(orr_args_parse(&command, argc, argv, &args));
  if (args.help) return ORR_OK;
  ORR_TRY(train_remote_create_args(&args, &remote));
  ORR_TRY_GOTO(data_index_open_from(args.operand[0], remote, &x), destroy_remote);
  data_action_stats *stats = orr_calloc((size_t)x->format.A, sizeof *stats);
  ORR_CHECK_GOTO(stats, close_index, ORR_ENOMEM, "%s: out of memory: cannot look at its actions",
                 x->dir);
  rc = inspect(x, &args, stats);
  orr_free(stats);
close_index:
  data_index_close(x);
destroy_remote:
  data_remote_destroy(remote);
  return rc;
}
