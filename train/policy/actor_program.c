// A program on standard input and output that says actions.
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "train/policy/actor.h"
#include "train/policy/program.h"

enum { MOST_ROWS = 65536 };

typedef struct {
  const train_actor_world *w;
  const char *command;
  train_policy_program *program;
  uint64_t *trial; // [places]
  char *text;      // a frame in base64
  float *chunk;
  int64_t room; // actions of it
} program;

static void close_program(void *self) {
  program *p = self;
  if (!p) return;
  train_policy_program_close(p->program);
  orr_free(p->chunk);
  orr_free(p->text);
  orr_free(p->trial);
  orr_free(p);
}

static json_t *names_of(const train_actor_world *w) {
  json_t *list = json_array();
  for (int64_t i = 0; i < w->A; i++) json_array_append_new(list, json_string(w->action_names[i]));
  return list;
}

static orr_code say(program *p, json_t *line) {
  const orr_code rc = train_policy_program_say(p->program, line);
  json_decref(line);
  return rc;
}

static orr_code open_program(const train_actor_world *w, const char *words, void **self) {
  const size_t bytes = (size_t)(w->height * w->width * 3);
  orr_code rc;
  program *p = orr_calloc(1, sizeof *p);
  ORR_CHECK(p, ORR_ENOMEM, "policy %s: out of memory", words);
  p->w = w;
  p->command = words;
  p->trial = orr_calloc((size_t)w->places, sizeof *p->trial);
  p->text = orr_malloc((bytes + 2) / 3 * 4 + 1);
  ORR_CHECK_GOTO(p->trial && p->text, fail, ORR_ENOMEM, "policy %s: out of memory", words);
  ORR_TRY_GOTO(train_policy_program_open(words, w->patience_s, &p->program), fail);
  ORR_TRY_GOTO(
      say(p, json_pack("{s:s, s:s, s:o, s:I, s:I, s:f}", "say", "hello", "task", w->task_name,
                       "components", names_of(w), "height", (json_int_t)w->height, "width",
                       (json_int_t)w->width, "fps", w->fps)),
      fail);
  *self = p;
  return ORR_OK;
fail:
  close_program(p);
  return rc;
}

static orr_code begin_program(void *self, int64_t place, uint64_t trial) {
  program *p = self;
  p->trial[place] = trial;
  return say(p, json_pack("{s:s, s:I, s:I}", "say", "begin", "trial", (json_int_t)trial, "place",
                          (json_int_t)place));
}

// RFC 4648.
static void encode(const uint8_t *from, size_t size, char *to) {
  static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t i = 0; i < size; i += 3) {
    const size_t left = size - i;
    const uint32_t v = (uint32_t)from[i] << 16 | (left > 1 ? (uint32_t)from[i + 1] << 8 : 0) |
                       (left > 2 ? from[i + 2] : 0);
    *to++ = letters[v >> 18];
    *to++ = letters[v >> 12 & 63];
    *to++ = left > 1 ? letters[v >> 6 & 63] : '=';
    *to++ = left > 2 ? letters[v & 63] : '=';
  }
  *to = '\0';
}

static orr_code show(program *p, int64_t place, const uint8_t *frame, const float *led, bool ask) {
  json_t *action = json_array();
  encode(frame, (size_t)(p->w->height * p->w->width * 3), p->text);
  for (int64_t i = 0; led && i < p->w->A; i++) json_array_append_new(action, json_real(led[i]));
  return say(p, json_pack("{s:s, s:I, s:I, s:o, s:s}", "say", ask ? "act" : "watch", "trial",
                          (json_int_t)p->trial[place], "place", (json_int_t)place, "action",
                          led ? action : (json_decref(action), json_null()), "rgb", p->text));
}

static orr_code watch_program(void *self, int64_t place, const uint8_t *frame, const float *led) {
  return show(self, place, frame, led, false);
}

static orr_code read_row(program *p, const json_t *row, int64_t number) {
  const int64_t A = p->w->A;
  ORR_CHECK(json_is_array(row) && (int64_t)json_array_size(row) == A, ORR_EFORMAT,
            "policy %s: action %" PRId64
            " of its answer has %zu components, wanted a list of %" PRId64 " numbers",
            p->command, number, json_array_size(row), A);
  for (int64_t i = 0; i < A; i++) {
    const json_t *v = json_array_get(row, (size_t)i);
    ORR_CHECK(json_is_number(v) && isfinite((float)json_number_value(v)), ORR_EFORMAT,
              "policy %s: component %" PRId64 " of action %" PRId64 " of its answer is no number",
              p->command, i, number);
    p->chunk[number * A + i] = (float)json_number_value(v);
  }
  return ORR_OK;
}

static orr_code read_answer(program *p, const json_t *answer, int64_t *rows) {
  const json_t *actions = json_object_get(answer, "actions");
  const bool one = json_is_number(json_array_get(actions, 0));
  *rows = one ? 1 : (int64_t)json_array_size(actions);
  ORR_CHECK(json_is_array(actions) && *rows >= 1 && *rows <= MOST_ROWS, ORR_EFORMAT,
            "policy %s: its answer has no list of \"actions\", or %" PRId64
            " in it, wanted 1 to %d",
            p->command, *rows, (int)MOST_ROWS);
  if (*rows > p->room) {
    float *more = orr_realloc(p->chunk, (size_t)(*rows * p->w->A) * sizeof *more);
    ORR_CHECK(more, ORR_ENOMEM, "policy %s: out of memory", p->command);
    p->chunk = more;
    p->room = *rows;
  }
  for (int64_t i = 0; i < *rows; i++)
    ORR_TRY(read_row(p, one ? actions : json_array_get(actions, (size_t)i), i));
  return ORR_OK;
}

static orr_code ask_program(void *self, int64_t place, const uint8_t *frame, const float *led,
                            const float **chunk, int64_t *rows) {
  program *p = self;
  json_t *answer = NULL;
  ORR_TRY(show(p, place, frame, led, true));
  ORR_TRY(train_policy_program_hear(p->program, &answer));
  const orr_code rc = read_answer(p, answer, rows);
  json_decref(answer);
  *chunk = p->chunk;
  return rc;
}

const train_actor_kind train_actor_program = {.open = open_program,
                                              .close = close_program,
                                              .begin = begin_program,
                                              .watch = watch_program,
                                              .ask = ask_program};
