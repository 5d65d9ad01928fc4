// `orrery data import`: a data set of recordings in other formats (data/import/import.h). Local.
// Call it before the process has threads: it forks. The errors of data_import.
#include "train/cli/cmd.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/cores.h"
#include "base/log.h"
#include "base/nearest.h"
#include "data/import/import.h"
#include "base/args.h"
#include "train/cli/import_map.h"
#include "train/cli/import_times.h"
#include "train/cli/progress.h"

#define WORDS_MAX 1024 // of one list
#define TEXT_MAX  16384

#define FORMAT_LINE(name, words) "  " #name ": " words "\n"

static const orr_option options[] = {
    {"out", "DIR", "folder for the data set; made if it is not there", ORR_OPTION_ONCE},
    {"format", "NAME", "one of those above (found out)", ORR_OPTION_ONCE},
    {"map", "WORD=PATH[,..]",
     "HDF5 of any layout: frames=, actions=, episodes=, cut=, reward=, ...", ORR_OPTION_REPEATED},
    {"mask", "KEY", "robomimic: only the demos of this filter key", ORR_OPTION_ONCE},
    {"skip-bad", NULL, "leave out recordings that cannot be imported, and list them",
     ORR_OPTION_ONCE},
    {"min-frames", "N", "leave out episodes with fewer frames (2)", ORR_OPTION_ONCE},
    {"", NULL, "Pictures", ORR_OPTION_ONCE},
    {"camera", "NAME[,NAME]", "the camera to take; several: side by side", ORR_OPTION_ONCE},
    {"tile", "RxC", "rows and columns of several cameras (1 row)", ORR_OPTION_ONCE},
    {"size", "HxW", "height and width of a frame, or one number (as recorded)", ORR_OPTION_ONCE},
    {"crop", "HOW", "first cut: centre, to the shape of --size; or HxW+TOP+LEFT", ORR_OPTION_ONCE},
    TRAIN_IMPORT_TURN_OPTIONS,
    {"channels", "rgb|bgr", "order of the recorded colours", ORR_OPTION_ONCE},
    {"pixel-range", "LOW:HIGH", "black and white in pictures of numbers (0:1 or 0:255)",
     ORR_OPTION_ONCE},
    {"", NULL, "Actions", ORR_OPTION_ONCE},
    {"actions", "NAME[,NAME]", "columns or datasets that hold them", ORR_OPTION_ONCE},
    {"action-names", "NAME[,NAME]", "what to call the components", ORR_OPTION_ONCE},
    {"action-range", "RANGE", "auto, or LOW:HIGH[,..]: map these values to -1..1 (as they are)",
     ORR_OPTION_ONCE},
    TRAIN_IMPORT_CHOICE_OPTIONS,
    {"action-shift", "N", "frame t takes row t+N; 1: recorded with the frame it led to (0)",
     ORR_OPTION_ONCE},
    {"", NULL, "Time", ORR_OPTION_ONCE},
    {"fps", "F", "frames a second to keep, at most those recorded (all)", ORR_OPTION_ONCE},
    {"source-fps", "F", "frames a second recorded, if not as the file says", ORR_OPTION_ONCE},
    {"merge", "HOW[,HOW]", "actions of frames left out: last, first, mean, sum or max",
     ORR_OPTION_ONCE},
    TRAIN_IMPORT_TIME_OPTIONS,
    {"slack", "N", "frames and actions may differ by N in number: cut the longer (0)",
     ORR_OPTION_ONCE},
    {"", NULL, "The data set", ORR_OPTION_ONCE},
    {"validation", "SHARE", "put this share of the episodes into DIR/validation", ORR_OPTION_ONCE},
    {"validation-by", "HOW", "episodes, or time: the end of each (auto: time for one alone)",
     ORR_OPTION_ONCE},
    {"validation-gap", "SECONDS", "left out before that end (1)", ORR_OPTION_ONCE},
    {"seed", "S", "of the choice of episodes (1)", ORR_OPTION_ONCE},
    {"branch", "NAME", "its branch (worlds)", ORR_OPTION_ONCE},
    {"source", "TEXT", "where the clips come from, in words", ORR_OPTION_ONCE},
    {"gzip", NULL, "pack it: smaller, slower to read", ORR_OPTION_ONCE},
    {"shard-frames", "N", "about so many frames a file (64 MiB)", ORR_OPTION_ONCE},
    {"processes", "P", "that read and write (one a core)", ORR_OPTION_ONCE},
    {0},
};
static const orr_command command = {
    "data import",
    "FILE|DIR...",
    1,
    ORR_ARGS_MAX,
    "Makes a data set of recordings. Nothing is written before all of them were looked at; a call\n"
    "that was interrupted goes on where it stopped.\n"
    "Formats:\n" DATA_IMPORT_FORMATS(FORMAT_LINE),
    options,
};

// Lists of words, cut at commas, and what they are read as.
typedef struct {
  const char *v[WORDS_MAX];
  int64_t n;
  char text[TEXT_MAX];
} words;

typedef struct {
  words cameras, actions, names, ranges, merges;
  train_import_map map;
  double range[WORDS_MAX][2];
  data_merge merge[WORDS_MAX];
  train_import_times times;
} lists;

static orr_code cut(const orr_args *args, const char *option, words *w) {
  const char *text = orr_args_text(args, option, NULL);
  if (!text) return ORR_OK;
  int n = snprintf(w->text, sizeof w->text, "%s", text);
  ORR_CHECK(n > 0 && (size_t)n < sizeof w->text, ORR_ECONFIG,
            "orrery data import: --%s: %d letters, wanted 1 to %d", option, n, TEXT_MAX - 1);
  for (char *at = w->text; at;) {
    char *comma = strchr(at, ',');
    if (comma) *comma++ = 0;
    ORR_CHECK(*at && w->n < WORDS_MAX, ORR_ECONFIG,
              "orrery data import: --%s: got '%s', wanted up to %d names with commas in between",
              option, text, WORDS_MAX);
    w->v[w->n++] = at;
    at = comma;
  }
  return ORR_OK;
}

// LOW:HIGH, or false.
static bool parse_range(const char *text, double *low, double *high) {
  char *colon, *end;
  *low = strtod(text, &colon);
  if (colon == text || *colon != ':') return false;
  *high = strtod(colon + 1, &end);
  return end != colon + 1 && *end == 0 && *low < *high;
}

static orr_code parse_pixels(const orr_args *args, data_import_options *o) {
  const char *text = orr_args_text(args, "pixel-range", NULL);
  ORR_CHECK(!text || parse_range(text, &o->pixel_low, &o->pixel_high), ORR_ECONFIG,
            "orrery data import: --pixel-range: got '%s', wanted LOW:HIGH, e.g. -1:1", text);
  return ORR_OK;
}

static orr_code parse_ranges(const orr_args *args, lists *l, data_import_options *o) {
  ORR_TRY(cut(args, "action-range", &l->ranges));
  o->range_auto = l->ranges.n == 1 && strcmp(l->ranges.v[0], "auto") == 0;
  if (o->range_auto) return ORR_OK;
  for (int64_t i = 0; i < l->ranges.n; i++) {
    double *r = l->range[i];
    ORR_CHECK(
        parse_range(l->ranges.v[i], &r[0], &r[1]), ORR_ECONFIG,
        "orrery data import: --action-range: got '%s', wanted auto or LOW:HIGH, e.g. -1.5:1.5",
        l->ranges.v[i]);
  }
  o->ranges = l->range;
  o->range_count = l->ranges.n;
  return ORR_OK;
}

static orr_code parse_merges(const orr_args *args, lists *l, data_import_options *o) {
  static const char *const names[] = {[DATA_MERGE_LAST] = "last",
                                      [DATA_MERGE_FIRST] = "first",
                                      [DATA_MERGE_MEAN] = "mean",
                                      [DATA_MERGE_SUM] = "sum",
                                      [DATA_MERGE_MAX] = "max"};
  enum { NAMES = sizeof names / sizeof *names };
  ORR_TRY(cut(args, "merge", &l->merges));
  for (int64_t i = 0; i < l->merges.n; i++) {
    int k = 0;
    while (k < NAMES && strcmp(names[k], l->merges.v[i]) != 0) k++;
    ORR_CHECK(k < NAMES, ORR_ECONFIG,
              "orrery data import: --merge: got '%s', wanted last, first, mean, sum or max",
              l->merges.v[i]);
    l->merge[i] = (data_merge)k;
  }
  o->merges = l->merge;
  o->merge_count = l->merges.n;
  return ORR_OK;
}

static orr_code parse_crop(const orr_args *args, data_import_options *o) {
  const char *text = orr_args_text(args, "crop", NULL);
  if (!text) return ORR_OK;
  o->crop_centre = strcmp(text, "centre") == 0 || strcmp(text, "center") == 0;
  if (o->crop_centre) {
    ORR_CHECK(o->height, ORR_ECONFIG,
              "orrery data import: --crop centre cuts to the shape of --size, which is missing");
    return ORR_OK;
  }
  static const char separators[] = "x++";
  int64_t v[4] = {0}; // height, width, top, left
  const char *at = text;
  bool good = true;
  for (int i = 0; i < 4 && good; i++) {
    char *end;
    v[i] = strtoll(at, &end, 10);
    good = end != at && *end == (i < 3 ? separators[i] : 0) && v[i] >= (i < 2) && v[i] <= 65536;
    at = end + 1;
  }
  ORR_CHECK(good, ORR_ECONFIG,
            "orrery data import: --crop: got '%s', wanted centre or HEIGHTxWIDTH+TOP+LEFT, e.g. "
            "480x480+0+80",
            text);
  memcpy(o->crop, (int64_t[]){v[2], v[3], v[0], v[1]}, sizeof o->crop);
  return ORR_OK;
}

static orr_code parse_format(const orr_args *args, data_import_options *o) {
  char list[512] = "";
  size_t at = 0;
  o->format = orr_args_text(args, "format", NULL);
  if (!o->format) return ORR_OK;
  orr_nearest near = orr_nearest_start(o->format);
  for (int i = 0; data_import_format_name(i) && at < sizeof list; i++) {
    const char *name = data_import_format_name(i);
    if (strcmp(o->format, name) == 0) return ORR_OK;
    orr_nearest_offer(&near, name);
    at += (size_t)snprintf(list + at, sizeof list - at, "%s%s", i ? ", " : "", name);
  }
  return ORR_FAIL(ORR_ECONFIG, "orrery data import: --format: got '%s', wanted one of %s%s%s%s",
                  o->format, list, near.best ? "; did you mean " : "", near.best ? near.best : "",
                  near.best ? "?" : "");
}

static orr_code parse_words(const orr_args *args, lists *l, data_import_options *o) {
  const char *channels = orr_args_text(args, "channels", NULL);
  ORR_TRY(cut(args, "camera", &l->cameras));
  ORR_TRY(cut(args, "actions", &l->actions));
  ORR_TRY(cut(args, "action-names", &l->names));
  o->cameras = (data_words){l->cameras.v, l->cameras.n};
  o->actions = (data_words){l->actions.v, l->actions.n};
  o->action_names = (data_words){l->names.v, l->names.n};
  ORR_TRY(train_import_map_parse(args, &l->map, o));
  ORR_TRY(parse_format(args, o));
  if (!channels) return ORR_OK;
  ORR_CHECK(strcmp(channels, "rgb") == 0 || strcmp(channels, "bgr") == 0, ORR_ECONFIG,
            "orrery data import: --channels: got '%s', wanted rgb or bgr", channels);
  o->channels = channels[0] == 'r' ? DATA_CHANNELS_RGB : DATA_CHANNELS_BGR;
  return ORR_OK;
}

static orr_code parse_split(const orr_args *args, data_import_options *o) {
  static const char *const names[] = {
      [DATA_SPLIT_AUTO] = "auto", [DATA_SPLIT_EPISODES] = "episodes", [DATA_SPLIT_TIME] = "time"};
  enum { NAMES = sizeof names / sizeof *names };
  const char *text = orr_args_text(args, "validation-by", "auto");
  int k = 0;
  while (k < NAMES && strcmp(names[k], text) != 0) k++;
  ORR_CHECK(k < NAMES, ORR_ECONFIG,
            "orrery data import: --validation-by: got '%s', wanted auto, episodes or time", text);
  o->validation_by = (data_import_split_by)k;
  o->validation_gap = 1;
  return orr_args_f64(args, "validation-gap", 0, 1e6, &o->validation_gap);
}

static orr_code parse(const orr_args *args, lists *l, data_import_options *o) {
  int64_t processes = orr_cores_usable(), seed = 1;
  ORR_TRY(orr_args_require(args, "out", &o->dir));
  ORR_TRY(parse_words(args, l, o));
  ORR_TRY(orr_args_size(args, "tile", 1, 16, &o->tile_rows, &o->tile_cols));
  ORR_TRY(orr_args_size(args, "size", 1, 65536, &o->height, &o->width));
  ORR_TRY(parse_crop(args, o));
  ORR_TRY(parse_ranges(args, l, o));
  ORR_TRY(parse_pixels(args, o));
  ORR_TRY(parse_merges(args, l, o));
  ORR_TRY(train_import_times_parse(args, &l->times, o));
  ORR_TRY(orr_args_f64(args, "fps", 1e-3, 1e6, &o->fps));
  ORR_TRY(orr_args_f64(args, "source-fps", 1e-3, 1e6, &o->source_fps));
  ORR_TRY(orr_args_i64(args, "action-shift", -1000, 1000, &o->action_shift));
  ORR_TRY(orr_args_f64(args, "validation", 0, 1, &o->validation));
  ORR_TRY(parse_split(args, o));
  ORR_TRY(orr_args_i64(args, "seed", 0, INT64_MAX, &seed));
  ORR_TRY(orr_args_i64(args, "min-frames", 1, 1000000000, &o->min_frames));
  ORR_TRY(orr_args_i64(args, "slack", 0, 1000000, &o->slack));
  ORR_TRY(orr_args_i64(args, "shard-frames", 1, 1000000000, &o->shard_frames));
  ORR_TRY(orr_args_i64(args, "processes", 1, 1024, &processes));
  o->inputs = (data_words){args->operand, args->operands};
  o->mask = orr_args_text(args, "mask", NULL);
  o->branch = orr_args_text(args, "branch", "worlds");
  o->source = orr_args_text(args, "source", NULL);
  o->skip_bad = orr_args_flag(args, "skip-bad");
  o->gzip = orr_args_flag(args, "gzip");
  o->seed = (uint64_t)seed;
  o->processes = (int)processes;
  return ORR_OK;
}

static void show_looked(void *ctx, int64_t episodes) {
  train_progress *progress = ctx;
  if (!episodes) return;
  orr_progress(false, "import: looked at %" PRId64 " episodes", episodes);
  progress->begin_ms = orr_clock_ms(); // the writing comes next
}

static void show_told(void *ctx, const char *sentence) {
  ORR_WARN("%s", sentence);
}

static void show_bad(void *ctx, const char *recording, const char *reason) {
  if (strstr(reason, recording))
    ORR_WARN("bad recording: %s", reason);
  else
    ORR_WARN("bad recording: %s: %s", recording, reason);
}

static void print_report(const data_import_options *o, const data_import_report *r) {
  if (r->too_short)
    ORR_WARN("%" PRId64 " episodes are shorter than %" PRId64 " frames and were left out",
             r->too_short, o->min_frames);
  if (r->bad) ORR_WARN("%" PRId64 " bad recordings were left out", r->bad);
  if (r->added && r->added < r->episodes)
    ORR_INFO("%s: %" PRId64 " episodes were added", o->dir, r->added);
  ORR_INFO("%s: %s%" PRId64 " episodes of format %s, %" PRId64 " frames of %" PRId64 " x %" PRId64
           " at %g frames/s, %" PRId64 " action components",
           o->dir, r->finished_before ? "there already: " : "", r->episodes, r->format, r->frames,
           r->height, r->width, r->fps, r->A);
  if (r->validation_episodes)
    ORR_INFO("%s/train: %" PRId64 " episodes, %s/validation: %" PRId64, o->dir,
             r->episodes - r->validation_episodes, o->dir, r->validation_episodes);
}

orr_code train_cmd_data_import(int argc, char **argv) {
  orr_args args;
  train_progress progress = train_progress_begin("import");
  data_import_options o = {.min_frames = 2,
                           .looked = show_looked,
                           .written = train_progress_frames,
                           .bad = show_bad,
                           .told = show_told,
                           .ctx = &progress};
  data_import_report report;
  lists l = {.cameras.n = 0};
  ORR_TRY(orr_args_parse(&command, argc, argv, &args));
  if (args.help) return ORR_OK;
  ORR_TRY(parse(&args, &l, &o));
  ORR_TRY(data_import(&o, &report));
  print_report(&o, &report);
  return ORR_OK;
}
