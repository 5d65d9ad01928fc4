#include "data/clips/clip_read.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "data/shard/part.h"

// Rows of one chunk that belong to the clip.
typedef struct {
  const data_column *column;
  data_cached_chunk *chunk;
  int64_t number;    // of the chunk
  int64_t within, n; // first row in the chunk, and how many, a stride apart
  unsigned char *out;
} piece;

struct data_clip_read {
  data_mix_options o; // its lists are not used
  float *actions;     // [T,A]: as they lie in the shard
  piece *pieces;      // [3 T]: at most one a row and dataset
  int64_t count;
  data_clip_source from;
  data_read_counter tap;
  data_clip_batch *batch;
  int64_t row;
  bool narrow; // tokens wait in the upper half of their room
};

orr_code data_clip_read_create(const data_mix_options *o, data_clip_read **out) {
  orr_code rc = ORR_OK;
  data_clip_read *r = orr_calloc(1, sizeof *r);
  ORR_CHECK(r, ORR_ENOMEM, "reading clips: out of memory");
  r->o = *o;
  r->actions = orr_malloc((size_t)(o->T * o->A) * sizeof *r->actions);
  r->pieces = orr_malloc((size_t)(3 * o->T) * sizeof *r->pieces);
  ORR_CHECK_GOTO(r->actions && r->pieces, fail, ORR_ENOMEM,
                 "out of memory: cannot read clips of %" PRId64 " frames", o->T);
  *out = r;
  return ORR_OK;
fail:
  data_clip_read_destroy(r);
  return rc;
}

void data_clip_read_destroy(data_clip_read *r) {
  if (!r) return;
  orr_free(r->pieces);
  orr_free(r->actions);
  orr_free(r);
}

bool data_clip_read_packed(const data_clip_read *r) {
  return r->count > 0;
}

uint64_t data_clip_read_bytes(const data_clip_read *r) {
  return r->tap.bytes;
}

static void let_go(data_clip_read *r) {
  for (int64_t i = 0; i < r->count; i++) {
    data_cached_chunk_release(r->from.cache, r->pieces[i].chunk);
  }
  r->count = 0;
  data_shard_close(r->from.shard);
}

// -- first half -----------------------------------------------------------------------------

// Enters the chunk of a row, with its packed bytes unless it is in memory.
static orr_code take_chunk(data_clip_read *r, data_shard_part part, const data_column *c,
                           int64_t number, unsigned char *out) {
  const data_chunk *k = &c->chunks[number];
  unsigned char *packed = NULL;
  piece *p = &r->pieces[r->count];
  *p = (piece){.column = c, .number = number, .out = out};
  ORR_TRY(data_chunk_cache_get(r->from.cache, r->from.columns + (uint64_t)part, number, &c->unpack,
                               k->skipped, k->bytes, &p->chunk, &packed));
  r->count++;
  return packed ? data_read_counter_read(&r->tap, packed, k->bytes, k->address) : ORR_OK;
}

static orr_code take_chunks(data_clip_read *r, data_shard_part part, const data_column *c,
                            int64_t first, int64_t n, unsigned char *out) {
  int64_t stride = r->o.stride;
  for (int64_t i = 0; i < n;) {
    int64_t row = first + i * stride, number = row / c->chunk_rows;
    ORR_TRY(take_chunk(r, part, c, number, out + (size_t)i * c->file_row_bytes));
    piece *p = &r->pieces[r->count - 1];
    p->within = row % c->chunk_rows;
    int64_t fit = (c->chunk_rows - 1 - p->within) / stride + 1;
    p->n = n - i < fit ? n - i : fit;
    i += p->n;
  }
  return ORR_OK;
}

static orr_code begin_rows(data_clip_read *r, data_shard_part part, int64_t first, int64_t n,
                           void *out) {
  const data_column *c = data_shard_column(r->from.shard, part, NULL);
  if (!c->row_bytes) return ORR_OK; // no components
  if (!c->direct) {
    r->tap.bytes += (size_t)n * c->row_bytes;
    return data_shard_read_by_hdf5(r->from.shard, part, first, n, r->o.stride, out);
  }
  size_t gap = (size_t)n * (c->row_bytes - c->file_row_bytes);
  unsigned char *to = (unsigned char *)out + gap;
  if (part == DATA_SHARD_TOKENS) r->narrow = gap > 0;
  if (c->unpack.count > 0) return take_chunks(r, part, c, first, n, to);
  return data_column_pread(&r->tap, c, first, n, r->o.stride, to);
}

static orr_code begin_parts(data_clip_read *r) {
  const data_mix_options *o = &r->o;
  data_clip_batch *b = r->batch;
  int64_t first = r->from.first;
  if (o->kind == DATA_FRAMES) {
    uint8_t *frames = b->frames + r->row * o->T * o->height * o->width * 3;
    ORR_TRY(begin_rows(r, DATA_SHARD_FRAMES, first, o->T, frames));
  } else {
    ORR_TRY(begin_rows(r, DATA_SHARD_TOKENS, first, o->T, b->tokens + r->row * o->T * o->S));
  }
  if (b->state) {
    ORR_TRY(begin_rows(r, DATA_SHARD_STATE, first, o->T, b->state + r->row * o->T * b->Q));
  }
  if (o->T == 1) return ORR_OK;
  return begin_rows(r, DATA_SHARD_ACTIONS, first + o->stride - 1, o->T - 1, r->actions);
}

orr_code data_clip_read_begin(data_clip_read *r, const data_clip_source *from,
                              data_clip_batch *batch, int64_t row) {
  r->from = *from;
  r->batch = batch;
  r->row = row;
  r->narrow = false;
  r->count = 0;
  r->tap = (data_read_counter){
      .path = data_shard_path(from->shard), .watch = from->watch, .watcher = from->watcher};
  data_shard_column(from->shard, DATA_SHARD_ACTIONS, &r->tap.fd);
  data_shard_share(from->shard);
  orr_code rc = begin_parts(r);
  if (rc != ORR_OK) let_go(r);
  return rc;
}

// -- second half ----------------------------------------------------------------------------

static orr_code unpack_piece(const data_clip_read *r, const piece *p) {
  const data_column *c = p->column;
  const unsigned char *bytes = NULL;
  const char *reason = NULL;
  orr_code rc = data_cached_chunk_bytes(r->from.cache, p->chunk, &bytes, &reason);
  ORR_CHECK(rc == ORR_OK, rc,
            "%s: /%s: chunk %" PRId64 " (from row %" PRId64
            ") is damaged: %s; fetch or write the shard again",
            r->tap.path, c->name, p->number, p->number * c->chunk_rows, reason);
  size_t row = c->file_row_bytes;
  if (r->o.stride == 1) {
    memcpy(p->out, bytes + (size_t)p->within * row, (size_t)p->n * row);
    return ORR_OK;
  }
  for (int64_t i = 0; i < p->n; i++) {
    memcpy(p->out + (size_t)i * row, bytes + (size_t)(p->within + i * r->o.stride) * row, row);
  }
  return ORR_OK;
}

static orr_code check_finite(const data_clip_read *r, const char *name, const float *p, int64_t n,
                             int64_t width, int64_t first) {
  for (int64_t i = 0; i < n * width; i++) {
    ORR_CHECK(isfinite(p[i]), ORR_EFORMAT,
              "%s: /%s[%" PRId64 ",%" PRId64
              "] is %g, wanted a finite number; `orrery data verify` "
              "finds them all",
              r->tap.path, name, first + i / width * r->o.stride, i % width, (double)p[i]);
  }
  return ORR_OK;
}

static orr_code finish_tokens(const data_clip_read *r) {
  const data_mix_options *o = &r->o;
  int32_t *tokens = r->batch->tokens + r->row * o->T * o->S;
  if (r->narrow) data_column_widen(tokens, o->T * o->S);
  for (int64_t i = 0; i < o->T * o->S; i++) {
    ORR_CHECK(tokens[i] >= 0 && tokens[i] < o->codes, ORR_EFORMAT,
              "%s: /tokens[%" PRId64 ",%" PRId64 "] is %d, wanted 0 to %" PRId64
              "; run `orrery data verify` on its folder: what fails there is damaged; where it "
              "passes, model.codes is not that of its tokenizer",
              r->tap.path, r->from.first + i / o->S * o->stride, i % o->S, tokens[i], o->codes - 1);
  }
  return ORR_OK;
}

// Actions as they lie in the shard: the first that is not finite, and how many.
static void note_bad(const data_clip_read *r, int64_t own) {
  data_bad_actions *bad = &r->batch->bad[r->row];
  *bad = (data_bad_actions){0};
  for (int64_t i = 0; i < (r->o.T - 1) * own; i++) {
    if (isfinite(r->actions[i])) continue;
    if (bad->count++ > 0) continue;
    bad->set = r->from.set;
    bad->shard = r->from.number;
    bad->episode = r->from.episode;
    bad->row = r->from.first + (i / own + 1) * r->o.stride - 1;
    bad->column = i % own;
    bad->value = r->actions[i];
  }
}

// action[t] is what led to frame t: the shard's row just before that frame. Nothing led to frame 0.
static orr_code finish_actions(const data_clip_read *r) {
  int64_t T = r->o.T, A = r->o.A, own = data_shard_get_format(r->from.shard)->A;
  float *action = r->batch->action + r->row * T * A, *valid = r->batch->valid + r->row * T * A;
  memset(action, 0, (size_t)(T * A) * sizeof *action);
  for (int64_t i = 0; i < T * A; i++) valid[i] = i % A < own ? 1.f : 0.f;
  if (r->batch->bad)
    note_bad(r, own);
  else
    ORR_TRY(check_finite(r, "actions", r->actions, T - 1, own, r->from.first + r->o.stride - 1));
  for (int64_t t = 1; t < T; t++) {
    memcpy(action + t * A, r->actions + (t - 1) * own, (size_t)own * sizeof *action);
  }
  return ORR_OK;
}

static orr_code finish_parts(const data_clip_read *r) {
  const data_clip_batch *b = r->batch;
  for (int64_t i = 0; i < r->count; i++) ORR_TRY(unpack_piece(r, &r->pieces[i]));
  if (r->o.kind == DATA_TOKENS) ORR_TRY(finish_tokens(r));
  if (b->state) {
    const float *state = b->state + r->row * b->T * b->Q;
    ORR_TRY(check_finite(r, "state", state, b->T, b->Q, r->from.first));
  }
  return finish_actions(r);
}

orr_code data_clip_read_finish(data_clip_read *r) {
  orr_code rc = finish_parts(r);
  let_go(r);
  return rc;
}
