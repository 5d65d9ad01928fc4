#include "train/live/record_file.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <string.h>
#include <zlib.h>

#include "base/mem.h"
#include "train/live/record_body.h"

enum {
  FRONT = 20,
  TAIL = 16,
  MOST_HEAD = 1 << 20,
  MOST_BODY = 1 << 28,
  PACKING = 6,
  MOST_COUNT = 5
};
static const char magic[8] = {'o', 'r', 'r', 's', 'e', 's', 's', '1'};

// A body on its way: bytes are appended.
typedef struct {
  uint8_t *p;
  size_t at;
} body;

static void put_u32(uint8_t *p, uint32_t v) {
  for (int i = 0; i < 4; i++) p[i] = (uint8_t)(v >> (8 * i));
}

static uint32_t get_u32(const uint8_t *p) {
  return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void add_u32(body *b, uint32_t v) {
  put_u32(b->p + b->at, v);
  b->at += 4;
}

static void add_u64(body *b, uint64_t v) {
  add_u32(b, (uint32_t)v);
  add_u32(b, (uint32_t)(v >> 32));
}

static void add_floats(body *b, const float *v, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    uint32_t bits;
    memcpy(&bits, &v[i], sizeof bits);
    add_u32(b, bits);
  }
}

static void add_count(body *b, uint64_t n) {
  for (; n >= 128; n >>= 7) b->p[b->at++] = (uint8_t)(n | 128);
  b->p[b->at++] = (uint8_t)n;
}

static int64_t digest_count(const train_record *r) {
  return r->frames / TRAIN_RECORD_DIGEST_EVERY + 1;
}

static orr_code write_body(const train_record *r, body *b) {
  const size_t A = (size_t)r->A;
  const size_t most = (size_t)(r->prompt * r->S) * 4 + (size_t)(r->prompt - 1) * A * 4 +
                      (size_t)r->run_count * (MOST_COUNT + 4 * A) + (size_t)digest_count(r) * 8;
  ORR_CHECK(most <= MOST_BODY, ORR_EINVAL, "session of %zu bytes: %d at most fit into a file", most,
            (int)MOST_BODY);
  b->p = orr_malloc(most);
  ORR_CHECK(b->p, ORR_ENOMEM, "session file: out of memory");
  for (int64_t i = 0; i < r->prompt * r->S; i++) add_u32(b, (uint32_t)r->tokens[i]);
  add_floats(b, r->prompt_actions, (r->prompt - 1) * r->A);
  for (int64_t i = 0, before = 0; i < r->run_count; i++) {
    const train_record_run *run = train_record_run_at(r, i);
    add_count(b, (uint64_t)(run->end - before));
    add_floats(b, run->v, r->A);
    before = run->end;
  }
  for (int64_t i = 0; i + 1 < digest_count(r); i++) add_u64(b, r->digests[i]);
  add_u64(b, r->chain.lo);
  return ORR_OK;
}

static char *write_head(const train_record *r) {
  const train_engine_settings *s = &r->settings;
  json_t *j = json_pack(
      "{s:s, s:s, s:b, s:i, s:f, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:O?, s:O?}",
      "checkpoint", r->checkpoint.s, "tokenizer", r->tokenizer.s, "ema", r->ema, "branch",
      (int)r->branch, "fps", r->fps, "components", (json_int_t)r->A, "positions", (json_int_t)r->S,
      "prompt", (json_int_t)r->prompt, "frames", (json_int_t)r->frames, "window",
      (json_int_t)r->window, "seed", (json_int_t)s->seed, "sample", (json_int_t)s->sample, "steps",
      (json_int_t)s->steps, "temperature", s->temperature, "choice_temperature",
      s->choice_temperature, "mapping", r->mapping, "start", r->start);
  char *text = j ? json_dumps(j, JSON_COMPACT) : NULL;
  json_decref(j);
  return text;
}

static orr_code put_together(const char *head, const body *b, uint8_t **bytes, size_t *size) {
  const size_t head_bytes = strlen(head);
  uLongf packed = compressBound((uLong)b->at);
  uint8_t *p = orr_malloc(FRONT + head_bytes + packed + TAIL);
  ORR_CHECK(p, ORR_ENOMEM, "session file: out of memory");
  memcpy(p, magic, sizeof magic);
  memcpy(p + FRONT, head, head_bytes);
  if (compress2(p + FRONT + head_bytes, &packed, b->p, (uLong)b->at, PACKING) != Z_OK) {
    orr_free(p);
    return ORR_FAIL(ORR_ENOMEM, "session file: out of memory");
  }
  put_u32(p + 8, (uint32_t)head_bytes);
  put_u32(p + 12, (uint32_t)packed);
  put_u32(p + 16, (uint32_t)b->at);
  const size_t before = FRONT + head_bytes + packed;
  const orr_hash128 h = orr_hash_bytes(p, before);
  for (int i = 0; i < 8; i++) {
    p[before + (size_t)i] = (uint8_t)(h.hi >> (56 - 8 * i));
    p[before + 8 + (size_t)i] = (uint8_t)(h.lo >> (56 - 8 * i));
  }
  *bytes = p;
  *size = before + TAIL;
  return ORR_OK;
}

orr_code train_record_write(const train_record *r, uint8_t **bytes, size_t *size) {
  body b = {0};
  char *head = write_head(r);
  orr_code rc = head ? write_body(r, &b) : ORR_FAIL(ORR_ENOMEM, "session file: out of memory");
  if (rc == ORR_OK) rc = put_together(head, &b, bytes, size);
  orr_free(b.p);
  free(head);
  return rc;
}

// -- reading --------------------------------------------------------------------------------

static orr_code check_frame(const char *what, const uint8_t *p, size_t size) {
  ORR_CHECK(size >= FRONT + TAIL && memcmp(p, magic, sizeof magic) == 0, ORR_EFORMAT,
            "%s: no session file of orrery play", what);
  const size_t head = get_u32(p + 8), packed = get_u32(p + 12), plain = get_u32(p + 16);
  ORR_CHECK(head <= MOST_HEAD && plain <= MOST_BODY && FRONT + head + packed + TAIL == size,
            ORR_EFORMAT, "%s: %zu bytes, its own words say %zu: cut off, or not whole yet", what,
            size, FRONT + head + packed + TAIL);
  orr_hash128 want = {0};
  const orr_hash128 got = orr_hash_bytes(p, size - TAIL);
  for (int i = 0; i < 8; i++) {
    want.hi = want.hi << 8 | p[size - TAIL + (size_t)i];
    want.lo = want.lo << 8 | p[size - TAIL + 8 + (size_t)i];
  }
  ORR_CHECK(orr_hash_equal(got, want), ORR_ECORRUPT, "%s: the checksum does not match: damaged",
            what);
  return ORR_OK;
}

static orr_code number(const json_t *j, const char *what, const char *key, int64_t low,
                       int64_t high, int64_t *out) {
  ORR_TRY(orr_json_get_i64(j, what, key, out));
  ORR_CHECK(*out >= low && *out <= high, ORR_EFORMAT,
            "%s: %s is %" PRId64 ", wanted %" PRId64 " to %" PRId64, what, key, *out, low, high);
  return ORR_OK;
}

static orr_code hash_text(const json_t *j, const char *what, const char *key, orr_hash_hex *out) {
  const char *text;
  orr_hash128 h;
  ORR_TRY(orr_json_get_str(j, what, key, &text));
  ORR_TRY(orr_hash_from_hex(text, &h));
  *out = orr_hash_to_hex(h);
  return ORR_OK;
}

static orr_code read_settings(const json_t *j, const char *what, train_engine_settings *s) {
  int64_t seed = 0, sample = 0;
  ORR_TRY(number(j, what, "seed", INT64_MIN, INT64_MAX, &seed));
  ORR_TRY(number(j, what, "sample", INT64_MIN, INT64_MAX, &sample));
  ORR_TRY(number(j, what, "steps", 1, 1024, &s->steps));
  ORR_TRY(orr_json_get_f64(j, what, "temperature", &s->temperature));
  ORR_TRY(orr_json_get_f64(j, what, "choice_temperature", &s->choice_temperature));
  ORR_CHECK(s->temperature >= 0.0 && s->temperature <= 100.0 && s->choice_temperature >= 0.0 &&
                s->choice_temperature <= 100.0,
            ORR_EFORMAT, "%s: temperatures %g and %g, wanted 0 to 100", what, s->temperature,
            s->choice_temperature);
  s->seed = (uint64_t)seed;
  s->sample = (uint64_t)sample;
  return ORR_OK;
}

static orr_code read_head(const json_t *j, const char *what, train_record *r, int64_t *frames) {
  int64_t branch = 0;
  ORR_TRY(hash_text(j, what, "checkpoint", &r->checkpoint));
  ORR_TRY(hash_text(j, what, "tokenizer", &r->tokenizer));
  r->ema = json_is_true(json_object_get(j, "ema"));
  ORR_TRY(number(j, what, "branch", 0, 63, &branch));
  ORR_TRY(orr_json_get_f64(j, what, "fps", &r->fps));
  ORR_CHECK(r->fps > 0.0 && r->fps <= 1e6, ORR_EFORMAT, "%s: fps is %g", what, r->fps);
  ORR_TRY(number(j, what, "components", 1, 4096, &r->A));
  ORR_TRY(number(j, what, "positions", 1, 1048576, &r->S));
  ORR_TRY(number(j, what, "prompt", 1, 65536, &r->prompt));
  ORR_TRY(number(j, what, "frames", 0, TRAIN_RECORD_MOST_FRAMES, frames));
  ORR_TRY(number(j, what, "window", 1, 1048576, &r->window));
  r->branch = (int32_t)branch;
  r->mapping = json_incref(json_object_get(j, "mapping"));
  r->start = json_incref(json_object_get(j, "start"));
  return read_settings(j, what, &r->settings);
}

static orr_code take_floats(train_record_body *b, int64_t n, float *out) {
  uint8_t bytes[4];
  for (int64_t i = 0; i < n; i++) {
    ORR_TRY(train_record_body_take(b, bytes, sizeof bytes));
    const uint32_t bits = get_u32(bytes);
    memcpy(&out[i], &bits, sizeof bits);
    ORR_CHECK(isfinite(out[i]), ORR_EFORMAT, "%s: an action that is not finite", b->what);
  }
  return ORR_OK;
}

static orr_code take_count(train_record_body *b, int64_t most, int64_t *out) {
  uint64_t n = 0;
  uint8_t byte = 128;
  for (int i = 0; i < MOST_COUNT && byte >= 128; i++) {
    ORR_TRY(train_record_body_take(b, &byte, 1));
    n |= (uint64_t)(byte & 127) << (7 * i);
  }
  ORR_CHECK(byte < 128 && n >= 1 && n <= (uint64_t)most, ORR_EFORMAT,
            "%s: an action held for %" PRIu64 " frames, %" PRId64 " are left", b->what, n, most);
  *out = (int64_t)n;
  return ORR_OK;
}

static orr_code take_tokens(train_record_body *b, int64_t n, int32_t *out) {
  uint8_t bytes[4];
  for (int64_t i = 0; i < n; i++) {
    ORR_TRY(train_record_body_take(b, bytes, sizeof bytes));
    out[i] = (int32_t)get_u32(bytes);
  }
  return ORR_OK;
}

// What the prompt is said to take is allocated only where the body is as large.
static orr_code read_prompt(train_record_body *b, train_record *r) {
  const int64_t codes = r->prompt * r->S, actions = (r->prompt - 1) * r->A;
  ORR_TRY(train_record_body_holds(b, (size_t)(codes + actions) * 4));
  int32_t *tokens = orr_malloc((size_t)codes * sizeof *tokens);
  float *given = orr_malloc((size_t)actions * sizeof *given);
  orr_code rc = tokens && given ? ORR_OK : ORR_FAIL(ORR_ENOMEM, "%s: out of memory", b->what);
  if (rc == ORR_OK) rc = take_tokens(b, codes, tokens);
  if (rc == ORR_OK) rc = take_floats(b, actions, given);
  if (rc == ORR_OK) rc = train_record_begin(r, tokens, given, TRAIN_RECORD_MOST_BYTES);
  orr_free(given);
  orr_free(tokens);
  return rc;
}

static orr_code read_runs(train_record_body *b, int64_t frames, train_record *r) {
  float *action = orr_malloc((size_t)r->A * sizeof *action);
  orr_code rc = action ? ORR_OK : ORR_FAIL(ORR_ENOMEM, "%s: out of memory", b->what);
  while (rc == ORR_OK && r->frames < frames) {
    int64_t held = 0;
    if (train_record_is_full(r))
      rc = ORR_FAIL(ORR_EFORMAT, "%s: more than %" PRId64 " changes of action", b->what,
                    r->most_runs);
    if (rc == ORR_OK) rc = take_count(b, frames - r->frames, &held);
    if (rc == ORR_OK) rc = take_floats(b, r->A, action);
    if (rc == ORR_OK) rc = train_record_hold(r, action, held);
  }
  orr_free(action);
  return rc;
}

static orr_code take_digest(train_record_body *b, uint64_t *out) {
  uint8_t bytes[8];
  ORR_TRY(train_record_body_take(b, bytes, sizeof bytes));
  *out = get_u32(bytes) | (uint64_t)get_u32(bytes + 4) << 32;
  return ORR_OK;
}

static orr_code read_digests(train_record_body *b, train_record *r) {
  const int64_t n = digest_count(r) - 1;
  ORR_TRY(train_record_body_holds(b, (size_t)(n + 1) * sizeof *r->digests));
  r->digests = orr_malloc((size_t)n * sizeof *r->digests);
  ORR_CHECK(r->digests, ORR_ENOMEM, "%s: out of memory", b->what);
  r->digest_room = n;
  for (int64_t i = 0; i < n; i++) ORR_TRY(take_digest(b, &r->digests[i]));
  return take_digest(b, &r->chain.lo);
}

static orr_code read_body(train_record_body *b, int64_t frames, train_record *r) {
  ORR_TRY(read_prompt(b, r));
  ORR_TRY(read_runs(b, frames, r));
  ORR_TRY(read_digests(b, r));
  return train_record_body_end(b);
}

static orr_code read_parts(const char *what, const uint8_t *bytes, const json_t *head,
                           train_record *r) {
  const size_t head_bytes = get_u32(bytes + 8);
  train_record_body b;
  int64_t frames = 0;
  ORR_TRY(read_head(head, what, r, &frames));
  ORR_TRY(train_record_body_open(&b, what, bytes + FRONT + head_bytes, get_u32(bytes + 12),
                                 get_u32(bytes + 16)));
  const orr_code rc = read_body(&b, frames, r);
  train_record_body_close(&b);
  return rc;
}

orr_code train_record_read(const char *what, const uint8_t *bytes, size_t size, train_record *r) {
  json_t *head = NULL;
  *r = (train_record){0};
  ORR_TRY(check_frame(what, bytes, size));
  ORR_TRY(orr_json_parse(what, (const char *)bytes + FRONT, get_u32(bytes + 8), &head));
  const orr_code rc = read_parts(what, bytes, head, r);
  json_decref(head);
  if (rc != ORR_OK) train_record_release(r);
  return rc;
}
