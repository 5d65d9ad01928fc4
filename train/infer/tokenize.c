#include "train/infer/tokenize.h"

#include <inttypes.h>
#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "base/crew.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "data/shard/shard.h"
#include "data/shard/writer.h"
#include "train/save/token_maker.h"

enum { PORTIONS = 4, PORTION = TRAIN_TOKENIZE_PORTION };

// A shard on its way: the reading thread opens `in`, the writing thread makes `w` and closes both.
typedef struct {
  int64_t number;
  data_shard *in;
  data_shard_writer *w;
  int64_t episode; // that the next frame belongs to
} shard_way;

typedef struct {
  struct pipeline *p;
  shard_way *way;
  int64_t first, n; // frames of the shard
  bool last;        // of the shard
  uint8_t *frames;  // [PORTION,height,width,3]
  int32_t *tokens;  // [PORTION,S]
  float *actions, *state, *reward;
  uint8_t *done;
  bool busy; // under the lock: with the reading or the writing thread
} portion;

typedef struct pipeline {
  const train_tokenize_options *o;
  shard_way *ways; // [n]
  int64_t n;
  portion portions[PORTIONS];
  orr_crew *reader, *writer; // of one thread each
  pthread_mutex_t lock;
  pthread_cond_t changed;
  // under the lock: the first error of either thread
  orr_code rc;
  char message[ORR_STATUS_MESSAGE_MAX];
} pipeline;

// -- names ----------------------------------------------------------------------------------

// What the source of a shard made from shard i ends with.
static char *mark_of(const train_tokenize_options *o, int64_t i) {
  return train_token_maker_mark(o->made_by, orr_hash_to_hex(o->index->shards[i].hash).s);
}

bool train_tokenize_done(const train_tokenize_options *o, int64_t i) {
  orr_path path;
  data_shard *s = NULL;
  char *mark = mark_of(o, i);
  bool done = false;
  if (mark && orr_fs_join(path, sizeof path, o->out, o->index->shards[i].file) == ORR_OK &&
      orr_fs_exists(path) && data_shard_open(path, &s) == ORR_OK) {
    const char *source = data_shard_get_format(s)->source;
    const size_t n = strlen(source), m = strlen(mark);
    done = data_shard_frames(s) == o->index->shards[i].frames && data_shard_get_format(s)->S > 0 &&
           n >= m && strcmp(source + n - m, mark) == 0;
  }
  data_shard_close(s);
  orr_free(mark);
  orr_status_clear(); // what cannot be read is made again
  return done;
}

// -- the two threads ------------------------------------------------------------------------

// A portion comes back, with an outcome.
static void hand_back(portion *b, orr_code rc) {
  pipeline *p = b->p;
  pthread_mutex_lock(&p->lock);
  if (rc != ORR_OK && p->rc == ORR_OK) {
    p->rc = rc;
    orr_status_copy(p->message, sizeof p->message);
  }
  b->busy = false;
  pthread_cond_signal(&p->changed);
  pthread_mutex_unlock(&p->lock);
}

static orr_code failed(pipeline *p) {
  pthread_mutex_lock(&p->lock);
  orr_code rc = p->rc;
  pthread_mutex_unlock(&p->lock);
  return rc;
}

static orr_code read_portion(portion *b) {
  shard_way *way = b->way;
  const data_index *x = b->p->o->index;
  if (b->first == 0) ORR_TRY(data_index_open_shard(x, way->number, &way->in));
  ORR_CHECK(data_shard_frames(way->in) == x->shards[way->number].frames, ORR_EFORMAT,
            "%s: %" PRId64 " frames, but index.json says %" PRId64 "; build the index again",
            data_shard_path(way->in), data_shard_frames(way->in), x->shards[way->number].frames);
  ORR_TRY(data_shard_read_frames(way->in, b->first, b->n, 1, b->frames));
  ORR_TRY(data_shard_read_actions(way->in, b->first, b->n, 1, b->actions));
  if (x->format.Q) ORR_TRY(data_shard_read_state(way->in, b->first, b->n, 1, b->state));
  if (x->format.reward) ORR_TRY(data_shard_read_reward(way->in, b->first, b->n, 1, b->reward));
  if (x->format.done) ORR_TRY(data_shard_read_done(way->in, b->first, b->n, 1, b->done));
  return ORR_OK;
}

static void run_reader(void *job) {
  portion *b = job;
  hand_back(b, failed(b->p) == ORR_OK ? read_portion(b) : ORR_OK);
}

static orr_code make_writer(const pipeline *p, shard_way *way) {
  orr_path to;
  orr_code rc;
  ORR_TRY(orr_fs_join(to, sizeof to, p->o->out, p->o->index->shards[way->number].file));
  data_shard_format f = *data_shard_get_format(way->in);
  char *mark = mark_of(p->o, way->number);
  char *source = mark ? orr_format("%s%s", f.source, mark) : NULL;
  ORR_CHECK_GOTO(source, free_mark, ORR_ENOMEM, "%s: out of memory", to);
  f.source = source;
  ORR_TRY_GOTO(data_views_in_patches(&f.views, p->o->tokenizer->tokenizer.patch,
                                     data_shard_path(way->in), &f.views),
               free_mark);
  f.height = f.width = 0;
  f.S = p->o->tokenizer->tokenizer.S;
  f.codes = train_tokenizer_codes(&p->o->tokenizer->tokenizer);
  rc = data_shard_writer_create(to, &f, DATA_FILTER_NONE, &way->w);
free_mark:
  orr_free(source);
  orr_free(mark);
  return rc;
}

static void way_end(shard_way *way) {
  data_shard_writer_destroy(way->w);
  data_shard_close(way->in);
  way->w = NULL;
  way->in = NULL;
}

static orr_code copy_success(shard_way *way) {
  uint8_t success;
  ORR_TRY(data_shard_read_success(way->in, way->episode, 1, &success));
  return data_shard_writer_set_success(way->w, success);
}

static orr_code write_portion(portion *b) {
  shard_way *way = b->way;
  if (b->first == 0) ORR_TRY(make_writer(b->p, way));
  const data_shard_format *f = &b->p->o->index->format;
  const int64_t *offsets = data_shard_offsets(way->in);
  for (int64_t at = 0, n; at < b->n; at += n) {
    const int64_t end = offsets[way->episode + 1] - b->first; // of the episode
    n = (end < b->n ? end : b->n) - at;
    ORR_TRY(data_shard_writer_append(
        way->w, &(data_shard_rows){.n = n,
                                   .tokens = b->tokens + at * b->p->o->tokenizer->tokenizer.S,
                                   .actions = b->actions + at * f->A,
                                   .state = f->Q ? b->state + at * f->Q : NULL,
                                   .reward = f->reward ? b->reward + at : NULL,
                                   .done = f->done ? b->done + at : NULL}));
    if (at + n < end) continue;
    if (f->success) ORR_TRY(copy_success(way));
    ORR_TRY(data_shard_writer_end_episode(way->w));
    way->episode++;
  }
  if (!b->last) return ORR_OK;
  ORR_TRY(data_shard_writer_finish(way->w));
  way_end(way);
  return ORR_OK;
}

static void run_writer(void *job) {
  portion *b = job;
  hand_back(b, failed(b->p) == ORR_OK ? write_portion(b) : ORR_OK);
}

// -- the encoder's thread -------------------------------------------------------------------

static orr_code wait_for(portion *b) {
  pipeline *p = b->p;
  pthread_mutex_lock(&p->lock);
  while (b->busy) pthread_cond_wait(&p->changed, &p->lock);
  orr_code rc = p->rc;
  pthread_mutex_unlock(&p->lock);
  if (rc != ORR_OK) orr_status_set(p->message);
  return rc;
}

static void send(portion *b, orr_crew *to) {
  b->busy = true; // nobody else holds it
  orr_crew_give(to, b);
}

// Where the reading thread is on its way through all shards.
typedef struct {
  int64_t shard, frame;
} cursor;

// Asks for the next portion; false when there is none.
static bool ask(pipeline *p, portion *b, cursor *at) {
  if (at->shard == p->n) return false;
  b->way = &p->ways[at->shard];
  const int64_t frames = p->o->index->shards[b->way->number].frames, left = frames - at->frame;
  b->first = at->frame;
  b->n = left < PORTION ? left : PORTION;
  b->last = b->n == left;
  at->frame = b->last ? 0 : at->frame + PORTION;
  at->shard += b->last;
  send(b, p->reader);
  return true;
}

static orr_code encode_all(pipeline *p, train_tokenize_times *times) {
  cursor at = {0};
  int64_t asked = 0, done = 0;
  // Half of the portions are being read, the other half encoded and written.
  while (asked < PORTIONS / 2 && ask(p, &p->portions[asked], &at)) asked++;
  for (; done < asked; done++) {
    portion *b = &p->portions[done % PORTIONS], *next = &p->portions[asked % PORTIONS];
    ORR_TRY(wait_for(next)); // written
    asked += ask(p, next, &at);
    ORR_TRY(wait_for(b)); // read
    const double begin = orr_clock_ms();
    ORR_TRY(train_codec_encode(p->o->codec, b->frames, b->n, b->tokens));
    times->encode_ms += orr_clock_ms() - begin;
    times->frames += b->n;
    const int64_t shard = b->way - p->ways;
    if (b->last && p->o->progress)
      orr_progress(shard + 1 == p->n, "tokenize: shard %" PRId64 " of %" PRId64, shard + 1, p->n);
    send(b, p->writer);
  }
  for (int i = 0; i < PORTIONS; i++) ORR_TRY(wait_for(&p->portions[i]));
  return ORR_OK;
}

// -- making it ------------------------------------------------------------------------------

static orr_code portion_create(pipeline *p, portion *b) {
  const data_shard_format *f = &p->o->index->format;
  b->p = p;
  b->frames = orr_malloc((size_t)(PORTION * f->height * f->width * 3));
  b->tokens = orr_malloc((size_t)(PORTION * p->o->tokenizer->tokenizer.S) * sizeof *b->tokens);
  b->actions = orr_malloc((size_t)(PORTION * f->A) * sizeof *b->actions);
  b->state = orr_malloc((size_t)(PORTION * f->Q) * sizeof *b->state);
  b->reward = orr_malloc(PORTION * sizeof *b->reward);
  b->done = orr_malloc(PORTION * sizeof *b->done);
  ORR_CHECK(b->frames && b->tokens && b->actions && b->state && b->reward && b->done, ORR_ENOMEM,
            "%s: out of memory for %d frames", p->o->index->dir, PORTION);
  return ORR_OK;
}

static void portion_destroy(portion *b) {
  orr_free(b->done);
  orr_free(b->reward);
  orr_free(b->state);
  orr_free(b->actions);
  orr_free(b->tokens);
  orr_free(b->frames);
}

static orr_code pipeline_open(pipeline *p, const int64_t *shards) {
  p->ways = orr_calloc((size_t)p->n, sizeof *p->ways);
  ORR_CHECK(p->ways, ORR_ENOMEM, "%s: out of memory for %" PRId64 " shards", p->o->index->dir,
            p->n);
  for (int64_t i = 0; i < p->n; i++) p->ways[i].number = shards[i];
  for (int i = 0; i < PORTIONS; i++) ORR_TRY(portion_create(p, &p->portions[i]));
  ORR_TRY(orr_crew_create(1, PORTIONS, run_reader, &p->reader));
  return orr_crew_create(1, PORTIONS, run_writer, &p->writer);
}

static void pipeline_close(pipeline *p) {
  orr_crew_destroy(p->reader);
  orr_crew_destroy(p->writer);
  for (int i = 0; i < PORTIONS; i++) portion_destroy(&p->portions[i]);
  for (int64_t i = 0; p->ways && i < p->n; i++) way_end(&p->ways[i]); // of an unfinished run
  orr_free(p->ways);
  pthread_cond_destroy(&p->changed);
  pthread_mutex_destroy(&p->lock);
}

orr_code train_tokenize(const train_tokenize_options *o, const int64_t *shards, int64_t n,
                        train_tokenize_times *times) {
  pipeline p = {.o = o, .n = n};
  const double begin = orr_clock_ms();
  *times = (train_tokenize_times){0};
  pthread_mutex_init(&p.lock, NULL);
  pthread_cond_init(&p.changed, NULL);
  orr_code rc = pipeline_open(&p, shards);
  if (rc == ORR_OK) rc = encode_all(&p, times);
  pipeline_close(&p);
  times->total_ms = orr_clock_ms() - begin;
  return rc;
}
