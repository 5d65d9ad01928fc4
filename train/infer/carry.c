#include "train/infer/carry.h"

#include <string.h>

#include "base/mem.h"

static int64_t frame_bytes(const train_carry *c) {
  return c->S * c->patch * c->patch * 3;
}

orr_code train_carry_create(const train_loaded_model *m, train_codec *codec, train_carry *out) {
  const train_tokenizer_dims *d = &m->tokenizer;
  *out = (train_carry){.S = d->S, .cols = d->cols, .patch = d->patch, .codec = codec};
  out->index = orr_malloc((size_t)d->S * sizeof *out->index);
  out->rest = orr_calloc((size_t)frame_bytes(out), sizeof *out->rest);
  out->decoded = orr_malloc((size_t)frame_bytes(out));
  if (out->index && out->rest && out->decoded) return ORR_OK;
  train_carry_release(out);
  return ORR_FAIL(ORR_ENOMEM, "out of memory for what a tokenizer misses of a frame");
}

void train_carry_release(train_carry *c) {
  orr_free(c->decoded);
  orr_free(c->rest);
  orr_free(c->index);
  *c = (train_carry){0};
}

orr_code train_carry_begin(train_carry *c, const uint8_t *real, const int32_t *index) {
  memcpy(c->index, index, (size_t)c->S * sizeof *index);
  ORR_TRY(train_codec_decode(c->codec, index, 1, c->decoded));
  for (int64_t i = 0; i < frame_bytes(c); i++) c->rest[i] = (int16_t)(real[i] - c->decoded[i]);
  return ORR_OK;
}

// Patch s of a frame: its rest is added, or forgotten.
static void add_rest(train_carry *c, int64_t s, bool stays, uint8_t *frame) {
  const int64_t row = c->patch * 3, line = c->cols * row;
  const int64_t first = s / c->cols * c->patch * line + s % c->cols * row;
  for (int64_t y = 0; y < c->patch; y++) {
    int16_t *rest = c->rest + first + y * line;
    uint8_t *to = frame + first + y * line;
    if (!stays) memset(rest, 0, (size_t)row * sizeof *rest);
    for (int64_t x = 0; stays && x < row; x++) {
      const int v = to[x] + rest[x];
      to[x] = (uint8_t)(v < 0 ? 0 : v > UINT8_MAX ? UINT8_MAX : v);
    }
  }
}

void train_carry_on(train_carry *c, const int32_t *index, int64_t n, uint8_t *frames) {
  for (int64_t t = 0; t < n; t++) {
    const int32_t *now = index + t * c->S;
    for (int64_t s = 0; s < c->S; s++)
      add_rest(c, s, now[s] == c->index[s], frames + t * frame_bytes(c));
    memcpy(c->index, now, (size_t)c->S * sizeof *now);
  }
}
