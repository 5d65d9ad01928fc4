#include "data/import/timing.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define RATES_ALIKE 1e-2 // relative: one rate, measured by two clocks

// -- frames ---------------------------------------------------------------------------------

static double time_of_frame(const data_import_timing *t, int64_t i) {
  return t->times ? t->times[i] : (double)i * t->interval;
}

// The last of the frames low..high that has come by time x.
static int64_t last_frame_by(const data_import_timing *t, int64_t low, int64_t high, double x) {
  while (low < high) {
    int64_t middle = low + (high - low + 1) / 2;
    if (t->times[middle] <= x)
      low = middle;
    else
      high = middle - 1;
  }
  return low;
}

int64_t data_import_frame(const data_import_timing *t, int64_t k) {
  if (!t->times) return t->first + (int64_t)floor((double)k * t->step + 0.5);
  double x = t->begin + (double)k / t->fps + t->interval / 2;
  return last_frame_by(t, t->first, t->first + t->source - 1, x);
}

// -- rows -----------------------------------------------------------------------------------

static double time_of_row(const data_import_timing *t, const data_import_actions *a, int64_t i) {
  double stamp = t->rows_by == DATA_ROWS_OF_STAMPS ? a->times[i] - a->times[0] : (double)i;
  return t->row_first + t->row_step * stamp;
}

// The first usable row at time x or after it.
static int64_t first_row_from(const data_import_timing *t, const data_import_actions *a, double x) {
  int64_t low = t->row_begin, high = t->row_begin + t->row_count;
  while (low < high) {
    int64_t middle = low + (high - low) / 2;
    if (time_of_row(t, a, middle) < x)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

// Half an interval of rows or of steps, the shorter: as far as a stamp may be early.
static double half(const data_import_timing *t) {
  return fmin(t->row_interval, 1 / t->fps) / 2;
}

// How many steps begin with the frame that step k begins with.
static int64_t steps_at_frame(const data_import_timing *t, int64_t k) {
  const int64_t frame = data_import_frame(t, k);
  int64_t from = k, to = k;
  while (from > 0 && data_import_frame(t, from - 1) == frame) from--;
  while (to + 2 < t->frames && data_import_frame(t, to + 1) == frame) to++;
  return to - from + 1;
}

data_import_span data_import_rows_of(const data_import_options *o, const data_import_timing *t,
                                     const data_import_actions *a, int64_t k) {
  data_import_span s = {.steps = 1};
  if (t->rows_by == DATA_ROWS_OF_FRAMES) {
    s.from = data_import_frame(t, k);
    s.to = data_import_frame(t, k + 1);
    if (t->times && s.to - s.from <= 1) s.steps = steps_at_frame(t, k);
    if (s.to == s.from) s.to++;
  } else {
    double x = t->begin + (double)k / t->fps - half(t);
    s.from = first_row_from(t, a, x);
    s.to = first_row_from(t, a, x + 1 / t->fps);
    if (s.to == s.from) {
      s.steps = 0;
      s.from -= s.from > t->row_begin;
      s.to = s.from + 1;
    }
  }
  s.from += o->action_shift;
  s.to += o->action_shift;
  return s;
}

// -- how rows belong to frames --------------------------------------------------------------

// What is known of an episode's time stamps.
typedef struct {
  bool known;
  double unit;         // seconds
  double first, span;  // on the recording's clock, seconds
  double rate;         // rows a second
  bool gaps;           // some are missing
  bool reset;          // of another clock: the first is put at the first frame
  const char *trouble; // why they cannot be used, or NULL
} stamps;

static double seconds_of_frames(const data_import_episode *e, const data_import_timing *t) {
  return time_of_frame(t, e->frames - 1) + t->interval;
}

// Rows that are counted in a column called "time" are no times.
static bool is_count(const data_import_actions *a) {
  for (int64_t i = 1; i < a->rows; i++)
    if (a->times[i] - a->times[i - 1] != 1) return false;
  return true;
}

// Seconds, milliseconds, ...: the unit in which the rows last nearly as long as the frames.
static double fit_unit(double span, double seconds) {
  double best = 1;
  for (double unit = 1; unit > 1e-10; unit *= 1e-3)
    if (fabs(log(span * unit / seconds)) < fabs(log(span * best / seconds))) best = unit;
  return best;
}

static void check_order(const data_import_actions *a, stamps *s) {
  double usual = (a->times[a->rows - 1] - a->times[0]) / (double)(a->rows - 1);
  for (int64_t i = 0; i < a->rows; i++) {
    if (!isfinite(a->times[i])) s->trouble = "hold something that is no time";
    if (i && a->times[i] < a->times[i - 1]) s->trouble = "go back at some row";
    if (i && a->times[i] - a->times[i - 1] > 2.5 * usual) s->gaps = true;
  }
}

static stamps look_at_stamps(const data_import_options *o, const data_import_episode *e,
                             const data_import_actions *a, const data_import_timing *t) {
  stamps s = {.unit = 1};
  const double seconds = seconds_of_frames(e, t);
  if (o->action_fps > 0)
    return (stamps){.known = true,
                    .unit = 1 / o->action_fps,
                    .rate = o->action_fps,
                    .first = o->time_offset,
                    .span = (double)(a->rows - 1) / o->action_fps};
  if (!a->times || a->rows < 2 || (!o->time_column && is_count(a))) return s;
  s.known = true;
  check_order(a, &s);
  double span = a->times[a->rows - 1] - a->times[0];
  if (!s.trouble && span <= 0) s.trouble = "are all the same";
  if (s.trouble) return s;
  s.unit = a->time_unit > 0 ? a->time_unit : fit_unit(span, seconds);
  s.span = span * s.unit;
  s.rate = (double)(a->rows - 1) / s.span;
  s.first = a->times[0] * s.unit - e->epoch + o->time_offset; // of one clock with the frames
  // another clock, unless they lie inside the recording as they are; where frames have stamps, too,
  // they are of one clock if they meet at all
  s.reset = e->epoch > 0
                ? s.first > seconds || s.first + s.span < 0
                : s.first < -t->interval || s.first + s.span > 1.02 * seconds + t->interval;
  if (s.reset) s.first = o->time_offset;
  return s;
}

static bool counts_fit(const data_import_options *o, int64_t frames, int64_t rows) {
  return llabs(frames - rows) <= o->slack || frames == rows + 1;
}

// Numbers that do not fit, and nothing that says how they belong together.
static orr_code fail_counts(const data_import_options *o, const data_import_episode *e,
                            int64_t rows, double fps, const stamps *s) {
  const int64_t off = llabs(e->frames - rows), fewer = e->frames < rows ? e->frames : rows;
  const double ratio = (double)rows / (double)e->frames, times = round(ratio);
  const char *column =
      e->format->layout ? "" : ", or name a column of time stamps with --time-column";
  char cause[400];
  if (s->trouble)
    snprintf(cause, sizeof cause, "their time stamps cannot say how they belong together: they %s",
             s->trouble);
  else if (off <= 2 || off * 20 <= fewer || (s->known && fabs(s->rate - fps) < RATES_ALIKE * fps))
    snprintf(cause, sizeof cause, "if the longer one only ends later, cut it with --slack %" PRId64,
             off);
  else if (times >= 2 && fabs(ratio - times) < 0.02 * times)
    snprintf(cause, sizeof cause,
             "that is %.0f actions a frame: if they were recorded at %g a second, say --action-fps "
             "%g%s",
             times, times * fps, times * fps, column);
  else
    snprintf(cause, sizeof cause,
             "they were recorded at different rates, or some are missing in between: say the "
             "actions' own rate (--action-fps, about %.3g by the numbers)%s",
             ratio * fps, column);
  return ORR_FAIL(ORR_EFORMAT,
                  "%s: %" PRId64 " frames but %" PRId64
                  " actions; wanted as many, or one action less; %s",
                  e->name, e->frames, rows, cause);
}

static void by_frames(const data_import_options *o, const data_import_episode *e, int64_t rows,
                      data_import_timing *t) {
  t->rows_by = DATA_ROWS_OF_FRAMES;
  t->first = o->action_shift < 0 ? -o->action_shift : 0;
  int64_t last = rows - o->action_shift; // frame `last` is kept: only what follows it needs it not
  if (last > e->frames - 1) last = e->frames - 1;
  t->source = last - t->first + 1;
}

static orr_code by_times(const data_import_options *o, const data_import_episode *e,
                         const data_import_actions *a, data_import_timing *t) {
  const int64_t shift = o->action_shift;
  t->row_begin = shift < 0 ? -shift : 0;
  t->row_count = a->rows - llabs(shift);
  if (t->row_count < 1) return ORR_OK;
  const double early = time_of_row(t, a, t->row_begin) - half(t),
               late = time_of_row(t, a, t->row_begin + t->row_count - 1) + t->row_interval +
                      t->interval / 4;
  int64_t first = 0, last = e->frames - 1;
  while (first < e->frames && time_of_frame(t, first) < early) first++;
  while (last > first && time_of_frame(t, last) > late) last--;
  t->first = first;
  t->source = last - first + 1;
  const double seconds = seconds_of_frames(e, t), covered = (double)t->source / (double)e->frames;
  ORR_CHECK(first < e->frames && covered >= 0.5, ORR_EFORMAT,
            "%s: its actions are from second %.3g to %.3g, its pictures from 0 to %.3g: less than "
            "half of them together; shift the actions by --time-offset SECONDS, or take a row a "
            "frame with --align rows",
            e->name, early + half(t), late, seconds);
  return ORR_OK;
}

static void note_times(const data_import_episode *e, const data_import_actions *a, const stamps *s,
                       const data_import_timing *t, data_import_notes *notes) {
  if (t->rows_by == DATA_ROWS_OF_STAMPS)
    data_import_note(notes, DATA_NOTE_STAMPS,
                     "%s: %" PRId64 " actions at %.4g a second, %" PRId64
                     " frames at %.4g a second: put together by their times (column %s)",
                     e->name, a->rows, s->rate, e->frames, 1 / t->interval, a->time_name);
  if (t->rows_by == DATA_ROWS_OF_STAMPS && s->reset)
    data_import_note(notes, DATA_NOTE_CLOCK,
                     "%s: the time stamps (%s) begin at %.10g, another clock than the video's: the "
                     "first action is put at the first frame; --time-offset SECONDS shifts them",
                     e->name, a->time_name, a->times[0] * s->unit);
  if (t->source < e->frames - e->frames / 20)
    data_import_note(notes, DATA_NOTE_PART,
                     "%s: %" PRId64 " of its %" PRId64
                     " frames have no action at their time and are left out",
                     e->name, e->frames - t->source, e->frames);
}

// Rows with times of their own, by the stamps or at a rate that the user says.
static orr_code by_stamps(const data_import_options *o, const data_import_episode *e,
                          const data_import_actions *a, const stamps *s, data_import_notes *notes,
                          data_import_timing *t) {
  t->rows_by = o->action_fps > 0 ? DATA_ROWS_OF_TICKS : DATA_ROWS_OF_STAMPS;
  t->row_first = s->first;
  t->row_step = s->unit;
  t->row_interval = 1 / s->rate;
  ORR_TRY(by_times(o, e, a, t));
  note_times(e, a, s, t, notes);
  return ORR_OK;
}

static bool fit_ticks(const data_import_options *o, const data_import_episode *e, int64_t rows,
                      const data_import_timing *t) {
  return t->times && !e->when.clockless && counts_fit(o, e->when.ticks, rows);
}

static orr_code by_ticks(const data_import_options *o, const data_import_episode *e,
                         const data_import_actions *a, data_import_notes *notes,
                         data_import_timing *t) {
  t->rows_by = DATA_ROWS_OF_TICKS;
  t->row_step = t->row_interval = t->interval;
  data_import_note(notes, DATA_NOTE_STAMPS,
                   "%s: %" PRId64 " frames, of which some are shown for longer, and %" PRId64
                   " actions, one for each %.4g s: put together by time",
                   e->name, e->frames, a->rows, t->interval);
  return by_times(o, e, a, t);
}

// Time stamps are there, but rows and frames are as many: rows belong to frames. Said where the
// stamps tell another story.
static void compare_stamps(const data_import_episode *e, const data_import_actions *a,
                           const stamps *s, const data_import_timing *t, data_import_notes *notes) {
  const double seconds = seconds_of_frames(e, t), span = s->span + 1 / s->rate;
  const bool counted = t->times && !s->gaps && fabs(s->rate * t->interval - 1) < RATES_ALIKE;
  if (!s->known || s->trouble || counted) return; // counted: made from the rows' numbers
  if (fabs(span - seconds) < 0.05 * seconds + 2 * t->interval) return;
  data_import_note(notes, DATA_NOTE_DISAGREE,
                   "%s: as many actions as frames, so each frame has its own; but by their time "
                   "stamps (%s) the actions last %.3g s, the frames %.3g s: --align time goes by "
                   "the stamps",
                   e->name, a->time_name ? a->time_name : "--action-fps", span, seconds);
}

static orr_code decide(const data_import_options *o, const data_import_episode *e,
                       const data_import_actions *a, data_import_notes *notes,
                       data_import_timing *t) {
  const stamps s = look_at_stamps(o, e, a, t);
  const bool fit = counts_fit(o, e->frames, a->rows), usable = s.known && !s.trouble;
  if (a->A == 0) { // no actions at all
    by_frames(o, e, e->frames, t);
    return ORR_OK;
  }
  if (o->align == DATA_ALIGN_TIME || o->action_fps > 0) {
    ORR_CHECK(s.known || fit_ticks(o, e, a->rows, t), ORR_EINVAL,
              "%s: --align time, but no column of time stamps is known there; name it with "
              "--time-column, or say the actions' rate with --action-fps",
              e->name);
    ORR_CHECK(!s.trouble, ORR_EFORMAT, "%s: its time stamps (%s) %s", e->name, a->time_name,
              s.trouble);
    return s.known ? by_stamps(o, e, a, &s, notes, t) : by_ticks(o, e, a, notes, t);
  }
  if (fit) {
    if (o->align == DATA_ALIGN_AUTO) compare_stamps(e, a, &s, t, notes);
    by_frames(o, e, a->rows, t);
    return ORR_OK;
  }
  if (o->align == DATA_ALIGN_AUTO && fit_ticks(o, e, a->rows, t))
    return by_ticks(o, e, a, notes, t);
  const bool tail = !s.gaps && !t->times && fabs(s.rate * t->interval - 1) < RATES_ALIKE;
  if (o->align == DATA_ALIGN_AUTO && usable && !tail) return by_stamps(o, e, a, &s, notes, t);
  return fail_counts(o, e, a->rows, 1 / t->interval, &s);
}

// -- rates ----------------------------------------------------------------------------------

static orr_code set_rates(const data_import_options *o, const data_import_episode *e,
                          data_import_timing *t) {
  double from = o->source_fps > 0 ? o->source_fps : e->fps > 0 ? e->fps : e->format->fps;
  ORR_CHECK(from > 0, ORR_EINVAL, "%s: its frame rate is not recorded; give it with --source-fps",
            e->name);
  t->times = o->source_fps > 0 ? NULL : e->times;
  const bool clockless = t->times && e->when.clockless;
  ORR_CHECK(o->fps > 0 || !clockless, ORR_EINVAL,
            "%s: its frames come at no steady rate (%" PRId64
            " gaps, the longest %.3g s); say at which to take them with --fps, e.g. --fps %.3g",
            e->name, e->when.gaps, e->when.longest, fmin(from, 10));
  double to = o->fps > 0 ? o->fps : from;
  ORR_CHECK(clockless || to <= from * (1 + 1e-6), ORR_EINVAL,
            "%s: recorded at %g frames/s; --fps %g would need frames in between; ask for at most "
            "that (--source-fps corrects a wrong one)",
            e->name, from, to);
  t->interval = 1 / from;
  t->step = fmax(from / to, 1);
  if (fabs(t->step - round(t->step)) < 1e-4) t->step = round(t->step); // 30000/1001
  t->fps = o->fps > 0 || t->times ? to : from / t->step;
  return ORR_OK;
}

static void count_frames(data_import_timing *t) {
  if (t->source <= 0) {
    t->source = 0;
    return;
  }
  const int64_t end = t->first + t->source;
  t->begin = time_of_frame(t, t->first);
  if (t->times) {
    double seconds = t->times[end - 1] - t->begin;
    t->frames = (int64_t)floor(seconds * t->fps + 0.5 * t->fps * t->interval) + 1;
    return;
  }
  t->frames = (int64_t)((double)(t->source - 1) / t->step) + 1;
  while (data_import_frame(t, t->frames) < end) t->frames++;
  while (data_import_frame(t, t->frames - 1) >= end) t->frames--;
}

orr_code data_import_time(const data_import_options *o, const data_import_episode *e,
                          const data_import_actions *a, data_import_notes *notes,
                          data_import_timing *out) {
  *out = (data_import_timing){0};
  ORR_TRY(set_rates(o, e, out));
  if (out->times)
    data_import_note(notes, DATA_NOTE_GAPS,
                     "%s: frames do not come steadily: %" PRId64
                     " gaps, the longest %.3g s at second %.4g; taken by their times at %g a "
                     "second, so that a gap becomes as many steps as it lasts",
                     e->name, e->when.gaps, e->when.longest, e->when.longest_at, out->fps);
  ORR_TRY(decide(o, e, a, notes, out));
  count_frames(out);
  return ORR_OK;
}
