#include "train/live/world.h"

#include <limits.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"

// What tells a model apart; of one with an adapter both of them do.
static orr_code hash_manifest(const train_loaded_model *m, orr_hash_hex *out) {
  char path[PATH_MAX];
  orr_hash128 h[2];
  ORR_TRY(orr_fs_join(path, sizeof path, m->path, "manifest.json"));
  ORR_TRY(orr_hash_file(orr_fs_is_dir(m->path) ? path : m->path, &h[0], NULL));
  if (m->adapter) {
    ORR_TRY(orr_hash_file(m->adapter, &h[1], NULL));
    h[0] = orr_hash_bytes(h, sizeof h);
  }
  *out = orr_hash_to_hex(h[0]);
  return ORR_OK;
}

kern *train_live_world_kern(const train_live_world *w) {
  return w->m.dynamics->k;
}

static orr_code make_engine(train_live_world *w, const train_live_world_options *o) {
  const train_loaded_model *d = w->m.dynamics;
  w->window = train_engine_window(d->c, INT64_MAX);
  if (d->c->eval.memory && d->c->eval.memory_by == CFG_MEMORY_BY_POSE)
    ORR_WARN("%s: eval.memory_by: pose is for eval and rollout; a session keeps frames by likeness",
             d->path);
  ORR_TRY(train_engine_create(d->k, &d->dynamics, &d->dynamics_p, &d->state.weights,
                              &(train_engine_options){.sessions = o->sessions,
                                                      .batch = o->sessions,
                                                      .window = w->window,
                                                      .steps = o->steps,
                                                      .guidance = d->c->eval.guidance,
                                                      .memory = d->c->eval.memory,
                                                      .ahead = o->ahead},
                              &w->engine));
  return train_codec_create(w->m.tokenizer, o->sessions, &w->codec);
}

orr_code train_live_world_open(const orr_args *a, const char *checkpoint, kern *k,
                               const train_live_world_options *o, train_live_world *w) {
  *w = (train_live_world){.own_kern = !k, .sessions = o->sessions};
  ORR_TRY(k ? train_world_model_open_on(a, checkpoint, k, &w->m)
            : train_world_model_open(a, checkpoint, &w->m));
  const train_tokenizer_dims *t = &w->m.tokenizer->tokenizer;
  w->height = t->rows * t->patch;
  w->width = t->cols * t->patch;
  w->S = w->m.dynamics->dynamics.S;
  w->A = w->m.dynamics->dynamics.A;
  w->frame_bytes = (size_t)(w->height * w->width * 3);
  ORR_TRY(hash_manifest(w->m.dynamics, &w->checkpoint));
  ORR_TRY(hash_manifest(w->m.tokenizer, &w->tokenizer));
  ORR_TRY(make_engine(w, o));
  w->pixels = orr_malloc((size_t)o->sessions * w->frame_bytes);
  w->tokens = orr_calloc((size_t)(o->sessions * w->S), sizeof *w->tokens);
  ORR_CHECK(w->pixels && w->tokens, ORR_ENOMEM, "play: out of memory");
  return ORR_OK;
}

void train_live_world_close(train_live_world *w) {
  orr_free(w->tokens);
  orr_free(w->pixels);
  train_engine_destroy(w->engine);
  train_codec_destroy(w->codec);
  train_world_model_close(&w->m);
}
