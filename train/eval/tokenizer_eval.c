#include "train/eval/tokenizer_eval.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "data/pictures/tiles.h"
#include "data/set/windows.h"
#include "train/eval/reconstruction.h"

enum {
  PORTION = 64, // frames encoded and decoded at once
  SHOWN = 16,   // frames of the picture
  SCALE = 2,    // its enlargement
  ROWS = 2,     // originals above
};

typedef struct {
  const train_loaded_model *model;
  train_episodes *episodes;
  const train_tokenizer_eval_options *o;
  int64_t height, width, bytes, S, frames;
  train_codec *codec;
  train_reconstruction *sums;
  uint8_t *real, *decoded; // [PORTION,height,width,3]
  int32_t *index;          // [PORTION,S]
  int64_t shown;
  uint8_t *picture[ROWS]; // [shown,height,width,3]
  data_tiles_label name[SHOWN];
} measuring;

static orr_code prepare(measuring *m) {
  const data_index *x = train_episodes_index(m->episodes);
  m->height = x->format.height;
  m->width = x->format.width;
  m->bytes = m->height * m->width * 3;
  m->S = m->model->tokenizer.S;
  m->frames = m->o->frames < x->frames ? m->o->frames : x->frames;
  m->shown = m->frames < SHOWN ? m->frames : SHOWN;
  m->real = orr_malloc((size_t)(PORTION * m->bytes));
  m->decoded = orr_malloc((size_t)(PORTION * m->bytes));
  m->index = orr_malloc((size_t)(PORTION * m->S) * sizeof *m->index);
  for (int i = 0; i < ROWS; i++) m->picture[i] = orr_malloc((size_t)(m->shown * m->bytes));
  ORR_CHECK(m->real && m->decoded && m->index && m->picture[0] && m->picture[1], ORR_ENOMEM,
            "evaluation of %" PRId64 " frames: out of memory", m->frames);
  ORR_TRY(train_codec_create(m->model, PORTION, &m->codec));
  return train_reconstruction_create(m->height, m->width, m->S,
                                     train_tokenizer_codes(&m->model->tokenizer), &m->sums);
}

static void release(measuring *m) {
  train_reconstruction_destroy(m->sums);
  train_codec_destroy(m->codec);
  for (int i = 0; i < ROWS; i++) orr_free(m->picture[i]);
  orr_free(m->index);
  orr_free(m->decoded);
  orr_free(m->real);
}

// Frame i of all goes into place `at` of the portion; *episode and *t say where it is from.
static orr_code read_frame(measuring *m, int64_t i, int64_t at, int64_t *episode, int64_t *t) {
  const data_index *x = train_episodes_index(m->episodes);
  const int64_t clip = data_windows_clip(x->frames, m->frames, m->o->seed, i);
  ORR_TRY(train_episodes_place(m->episodes, clip, 1, 1, episode, t));
  return train_episodes_read(m->episodes, *episode, *t, 1, 1, m->real + at * m->bytes, NULL, NULL);
}

// The place in the picture of frame i of all; -1 = none.
static int64_t shown_at(const measuring *m, int64_t i) {
  const int64_t at = i * m->shown / m->frames;
  return i == (at * m->frames + m->shown - 1) / m->shown ? at : -1;
}

static orr_code measure_portion(measuring *m, int64_t first, int64_t n) {
  int64_t episode[PORTION], t[PORTION];
  for (int64_t i = 0; i < n; i++) ORR_TRY(read_frame(m, first + i, i, &episode[i], &t[i]));
  ORR_TRY(train_codec_encode(m->codec, m->real, n, m->index));
  ORR_TRY(train_codec_decode(m->codec, m->index, n, m->decoded));
  train_reconstruction_add(m->sums, m->real, m->decoded, m->index, n);
  for (int64_t i = 0; i < n; i++) {
    const int64_t at = shown_at(m, first + i);
    if (at < 0) continue;
    memcpy(m->picture[0] + at * m->bytes, m->real + i * m->bytes, (size_t)m->bytes);
    memcpy(m->picture[1] + at * m->bytes, m->decoded + i * m->bytes, (size_t)m->bytes);
    snprintf(m->name[at], sizeof m->name[at], "%" PRId64 ":%" PRId64, episode[i], t[i]);
  }
  return ORR_OK;
}

static orr_code write_picture(const measuring *m) {
  static const data_tiles_label row[ROWS] = {"original", "decoded"};
  const uint8_t *frame[ROWS * SHOWN];
  for (int64_t i = 0; i < ROWS * m->shown; i++)
    frame[i] = m->picture[i / m->shown] + i % m->shown * m->bytes;
  data_tiles_group g = {.title = "episode:frame", .row = row, .column = m->name, .frame = frame};
  return data_tiles_write(&(data_tiles){.height = m->height,
                                        .width = m->width,
                                        .scale = SCALE,
                                        .rows = ROWS,
                                        .columns = m->shown,
                                        .count = 1,
                                        .group = &g},
                          m->o->strip);
}

static orr_code measure(measuring *m, json_t *out) {
  ORR_TRY(prepare(m));
  for (int64_t first = 0; first < m->frames; first += PORTION) {
    const int64_t n = m->frames - first < PORTION ? m->frames - first : PORTION;
    ORR_TRY(measure_portion(m, first, n));
    orr_progress(first + n == m->frames, "eval: frame %" PRId64 " of %" PRId64, first + n,
                 m->frames);
  }
  train_reconstruction_tell(m->sums, out);
  return m->o->strip ? write_picture(m) : ORR_OK;
}

orr_code train_tokenizer_eval(const train_loaded_model *tokenizer, train_episodes *episodes,
                              const train_tokenizer_eval_options *o, json_t **out) {
  measuring m = {.model = tokenizer, .episodes = episodes, .o = o};
  json_t *j = json_object();
  orr_code rc = j ? measure(&m, j) : ORR_FAIL(ORR_ENOMEM, "evaluation: out of memory");
  if (rc == ORR_OK) {
    json_object_set_new(j, "checkpoint", json_string(tokenizer->path));
    json_object_set_new(j, "step", json_integer((json_int_t)tokenizer->step));
    json_object_set_new(j, "frames", json_integer((json_int_t)m.frames));
    *out = j;
  } else {
    json_decref(j);
  }
  release(&m);
  return rc;
}
