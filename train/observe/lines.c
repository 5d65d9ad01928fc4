#include "train/observe/lines.h"

#include <string.h>

// By steps a line is judged when the next one that can be read is known.
typedef struct {
  train_line_fn each;
  void *ctx;
  bool waits;
  train_line line; // that waits
  int64_t before;  // step of the line before it
} window;

static int64_t step_of(const train_line *line) {
  return json_integer_value(json_object_get(line->object, "step"));
}

static bool has_step(const json_t *object) {
  return json_is_integer(json_object_get(object, "step"));
}

// `next` < 0: none follows. The neighbours go on from each other, and this one does not fit
// between.
static bool stands_out(int64_t before, int64_t step, int64_t next) {
  return next > before && (step <= before || step > next);
}

static orr_code settle(window *w, int64_t next) {
  if (!w->waits) return ORR_OK;
  train_line line = w->line;
  w->waits = false;
  if (stands_out(w->before, step_of(&line), next))
    line.object = NULL;
  else
    w->before = step_of(&line);
  const orr_code rc = w->each(w->ctx, &line);
  json_decref(w->line.object);
  return rc;
}

static orr_code give(window *w, const train_line *line, bool by_steps) {
  if (!line->object || !by_steps) {
    const orr_code rc = w->each(w->ctx, line);
    json_decref(line->object);
    return rc;
  }
  const orr_code rc = settle(w, step_of(line));
  w->line = *line;
  w->waits = true;
  return rc;
}

static json_t *read_object(const char *text, size_t bytes, bool by_steps) {
  json_t *object = json_loadb(text, bytes, 0, NULL);
  if (json_is_object(object) && (!by_steps || has_step(object))) return object;
  json_decref(object);
  return NULL;
}

orr_code train_lines_each(const char *text, size_t bytes, bool by_steps, train_line_fn each,
                          void *ctx) {
  window w = {.each = each, .ctx = ctx};
  orr_code rc = ORR_OK;
  int64_t number = 0;
  for (const char *p = text, *end = text + bytes; p < end && rc == ORR_OK;) {
    const char *newline = memchr(p, '\n', (size_t)(end - p));
    const size_t n = (size_t)((newline ? newline : end) - p);
    number++;
    if (n > 0) {
      const train_line line = {.text = p,
                               .bytes = n,
                               .number = number,
                               .object = read_object(p, n, by_steps),
                               .torn = !newline};
      rc = give(&w, &line, by_steps);
    }
    p += n + 1;
  }
  if (rc == ORR_OK) return settle(&w, -1);
  if (w.waits) json_decref(w.line.object);
  return rc;
}
