#include "train/policy/policy.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "data/pictures/resize.h"
#include "train/policy/msgpack.h"

enum { MOST_SIDE = 4096, MOST_ZEROS = 65536, MOST_ACTIONS = 1 << 20 };

struct train_policy {
  train_policy_link *link;
  const train_policy_part *part;
  int parts;
  train_msgpack out;
  uint8_t *fitted; // [size,size,3]
  float *zeros;
  float *chunk;
  int64_t room; // elements of it
};

// -- parts ------------------------------------------------------------------------------------

static orr_code read_size(const char *text, const char *number, int64_t most, int64_t *out) {
  char *end;
  *out = strtoll(number, &end, 10);
  ORR_CHECK(*number && !*end && *out >= 1 && *out <= most, ORR_ECONFIG,
            "--observe is '%s': wanted a number from 1 to %" PRId64 " after the colon", text, most);
  return ORR_OK;
}

orr_code train_policy_part_read(const char *text, train_policy_part *out) {
  const char *is = strchr(text, '=');
  *out = (train_policy_part){0};
  ORR_CHECK(is && is > text && (size_t)(is - text) < sizeof out->key, ORR_ECONFIG,
            "--observe is '%s': wanted KEY=frame, KEY=frame:SIZE, KEY=action, KEY=zeros:N or "
            "KEY=text:WORDS",
            text);
  memcpy(out->key, text, (size_t)(is - text));
  const char *what = is + 1;
  if (strcmp(what, "frame") == 0) return ORR_OK;
  if (strncmp(what, "frame:", 6) == 0) return read_size(text, what + 6, MOST_SIDE, &out->size);
  out->what = TRAIN_POLICY_ACTION;
  if (strcmp(what, "action") == 0) return ORR_OK;
  out->what = TRAIN_POLICY_ZEROS;
  if (strncmp(what, "zeros:", 6) == 0) return read_size(text, what + 6, MOST_ZEROS, &out->size);
  out->what = TRAIN_POLICY_TEXT;
  out->text = what + 5;
  ORR_CHECK(strncmp(what, "text:", 5) == 0, ORR_ECONFIG,
            "--observe is '%s': '%s' is none of frame, frame:SIZE, action, zeros:N, text:WORDS",
            text, what);
  return ORR_OK;
}

// -- life -------------------------------------------------------------------------------------

static orr_code take_memory(train_policy *p) {
  int64_t side = 1, zeros = 1;
  for (int i = 0; i < p->parts; i++) {
    const train_policy_part *x = &p->part[i];
    if (x->what == TRAIN_POLICY_FRAME && x->size > side) side = x->size;
    if (x->what == TRAIN_POLICY_ZEROS && x->size > zeros) zeros = x->size;
  }
  p->fitted = orr_malloc((size_t)(side * side * 3));
  p->zeros = orr_calloc((size_t)zeros, sizeof *p->zeros);
  ORR_CHECK(p->fitted && p->zeros, ORR_ENOMEM, "policy: out of memory");
  return ORR_OK;
}

// What the server says of an error of its own: a trace, whose last line says what it was.
static orr_code repeat_words(const uint8_t *bytes, size_t size) {
  char words[800];
  while (size > 0 && bytes[size - 1] <= ' ') size--;
  size_t from = size;
  while (from > 0 && bytes[from - 1] != '\n') from--;
  if (size - from >= sizeof words) size = from + sizeof words - 1;
  for (size_t i = from; i < size; i++)
    words[i - from] = bytes[i] < ' ' || bytes[i] == 127 ? ' ' : (char)bytes[i];
  words[size - from] = '\0';
  return ORR_FAIL(ORR_EIO, "policy: the server failed: %s", words);
}

static orr_code hear(train_policy *p, train_msgpack_cursor *out) {
  const uint8_t *bytes;
  size_t size;
  bool text;
  ORR_TRY(train_policy_link_receive(p->link, &text, &bytes, &size));
  if (text) return repeat_words(bytes, size);
  *out = (train_msgpack_cursor){bytes, bytes + size};
  return ORR_OK;
}

orr_code train_policy_open(const char *address, const char *key, double patience_s,
                           const train_policy_part *parts, int count, train_policy **out) {
  orr_code rc;
  train_msgpack_cursor greeting;
  train_msgpack_item head;
  train_policy *p = orr_calloc(1, sizeof *p);
  ORR_CHECK(p, ORR_ENOMEM, "policy: out of memory");
  p->part = parts;
  p->parts = count;
  ORR_TRY_GOTO(take_memory(p), fail);
  ORR_TRY_GOTO(train_policy_link_open(address, key, patience_s, &p->link), fail);
  ORR_TRY_GOTO(hear(p, &greeting), fail);
  ORR_TRY_GOTO(train_msgpack_next(&greeting, &head), fail);
  ORR_CHECK_GOTO(head.kind == TRAIN_MSGPACK_MAP, fail, ORR_EFORMAT,
                 "policy at %s: its greeting is no map: it is no server of openpi's protocol",
                 address);
  *out = p;
  return ORR_OK;
fail:
  train_policy_close(p);
  return rc;
}

void train_policy_close(train_policy *p) {
  if (!p) return;
  train_policy_link_close(p->link);
  train_msgpack_release(&p->out);
  orr_free(p->chunk);
  orr_free(p->zeros);
  orr_free(p->fitted);
  orr_free(p);
}

// -- observations -----------------------------------------------------------------------------

// The frame in the middle of a black square.
static orr_code fit(const train_policy_sight *s, int64_t side, uint8_t *out) {
  const int64_t longer = s->height > s->width ? s->height : s->width;
  int64_t height = s->height * side / longer, width = s->width * side / longer;
  if (height < 1) height = 1;
  if (width < 1) width = 1;
  data_resizer *r = NULL;
  ORR_TRY(data_resizer_create(s->height, s->width, height, width, &r));
  memset(out, 0, (size_t)(side * side * 3));
  data_resizer_run(r, s->frame, (size_t)s->width * 3,
                   out + ((side - height) / 2 * side + (side - width) / 2) * 3, (size_t)side * 3);
  data_resizer_destroy(r);
  return ORR_OK;
}

static orr_code put_part(train_policy *p, const train_policy_part *x, const train_policy_sight *s) {
  train_msgpack_text(&p->out, x->key);
  switch (x->what) {
  case TRAIN_POLICY_FRAME: {
    const int64_t shape[3] = {x->size ? x->size : s->height, x->size ? x->size : s->width, 3};
    if (x->size) ORR_TRY(fit(s, x->size, p->fitted));
    train_msgpack_array(&p->out, "|u1", shape, 3, x->size ? p->fitted : s->frame,
                        (size_t)(shape[0] * shape[1] * 3));
    break;
  }
  case TRAIN_POLICY_ACTION:
    train_msgpack_array(&p->out, "<f4", &s->A, 1, s->action, (size_t)s->A * sizeof(float));
    break;
  case TRAIN_POLICY_ZEROS:
    train_msgpack_array(&p->out, "<f4", &x->size, 1, p->zeros, (size_t)x->size * sizeof(float));
    break;
  case TRAIN_POLICY_TEXT:
    train_msgpack_text(&p->out, x->text);
    break;
  }
  return ORR_OK;
}

// -- answers ----------------------------------------------------------------------------------

static orr_code take_chunk(train_policy *p, const train_msgpack_ndarray *a, int64_t A,
                           int64_t *rows) {
  const int64_t components = a->dims > 0 ? a->shape[a->dims - 1] : 0;
  ORR_CHECK(a->dims == 1 || a->dims == 2, ORR_EFORMAT,
            "policy: its actions have %d dims: wanted [horizon, components]", a->dims);
  *rows = a->dims == 2 ? a->shape[0] : 1;
  ORR_CHECK(components == A, ORR_EFORMAT,
            "policy: its actions have %" PRId64 " components, the world's have %" PRId64,
            components, A);
  ORR_CHECK(*rows >= 1 && *rows * A <= MOST_ACTIONS, ORR_EFORMAT,
            "policy: a chunk of %" PRId64 " actions", *rows);
  if (*rows * A > p->room) {
    float *chunk = orr_realloc(p->chunk, (size_t)(*rows * A) * sizeof *chunk);
    ORR_CHECK(chunk, ORR_ENOMEM, "policy: out of memory");
    p->chunk = chunk;
    p->room = *rows * A;
  }
  for (int64_t i = 0; i < *rows * A; i++) {
    double v;
    ORR_TRY(train_msgpack_element(a, i, &v));
    ORR_CHECK(isfinite((float)v), ORR_EFORMAT,
              "policy: component %" PRId64 " of action %" PRId64 " of its chunk is %g", i % A,
              i / A, v);
    p->chunk[i] = (float)v;
  }
  return ORR_OK;
}

orr_code train_policy_ask(train_policy *p, const train_policy_sight *sight, const float **chunk,
                          int64_t *rows) {
  train_msgpack_cursor answer;
  train_msgpack_ndarray actions;
  bool found;
  p->out.used = 0;
  train_msgpack_map(&p->out, (uint32_t)p->parts);
  for (int i = 0; i < p->parts; i++) ORR_TRY(put_part(p, &p->part[i], sight));
  ORR_CHECK(!p->out.failed, ORR_ENOMEM, "policy: out of memory");
  ORR_TRY(train_policy_link_send(p->link, p->out.bytes, p->out.used));
  ORR_TRY(hear(p, &answer));
  ORR_TRY(train_msgpack_find(&answer, "actions", &found));
  ORR_CHECK(found, ORR_EFORMAT, "policy: its answer has no \"actions\"");
  ORR_TRY(train_msgpack_read_array(answer, &actions));
  ORR_TRY(take_chunk(p, &actions, sight->A, rows));
  *chunk = p->chunk;
  return ORR_OK;
}
