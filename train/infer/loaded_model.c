#include "train/infer/loaded_model.h"

#include <inttypes.h>
#include <string.h>

#include "base/arena.h"
#include "base/fs.h"
#include "base/mem.h"
#include "checkpoints/checkpoint.h"
#include "train/model/packed.h"
#include "train/model/precision.h"
#include "train/save/adapter_file.h"
#include "train/save/base.h"
#include "train/save/store.h"
#include "train/step/adapter.h"
#include "train/step/upload.h"

// *out is the caller's to destroy, on failure too.
static orr_code open_config(const ckpt_reader *r, cfg **out) {
  const char *text = json_string_value(json_object_get(ckpt_reader_meta(r), "config"));
  ORR_CHECK(text, ORR_EFORMAT, "%s: manifest has no \"config\": not a checkpoint of orrery train",
            ckpt_reader_path(r));
  ORR_TRY(cfg_create(out));
  return cfg_read_text(*out, ckpt_reader_path(r), text, strlen(text));
}

orr_code train_loaded_model_config(const char *path, cfg **out) {
  ckpt_reader *r = NULL;
  cfg *c = NULL;
  ORR_TRY(ckpt_open(path, &r));
  const orr_code rc = open_config(r, &c);
  ckpt_close(r);
  if (rc != ORR_OK) {
    cfg_destroy(c);
    return rc;
  }
  *out = c;
  return ORR_OK;
}

static orr_code read_config(train_loaded_model *m, const ckpt_reader *r, int stage) {
  ORR_TRY(open_config(r, &m->c));
  static const char *const names[] = {"dynamics model", "tokenizer"};
  ORR_CHECK(m->c->train.stage == stage, ORR_EINVAL, "%s holds a %s, wanted a %s",
            ckpt_reader_path(r), names[m->c->train.stage], names[stage]);
  return ORR_OK;
}

static orr_code list_parameters(train_loaded_model *m) {
  const kern_dtype act = train_precision(m->c);
  train_state_init(&m->state, m->k, act, false, false);
  if (m->c->train.stage == CFG_STAGE_TOKENIZER) {
    train_tokenizer_dims_from(m->c, &m->tokenizer);
    return train_tokenizer_list(&m->tokenizer, &m->state.params, &m->tokenizer_p);
  }
  train_dynamics_dims_from(m->c, &m->dynamics);
  return train_dynamics_list(&m->dynamics, &m->state.params, &m->dynamics_p);
}

// The parameters that m->c describes, zeros.
static orr_code place(train_loaded_model *m) {
  ORR_TRY(list_parameters(m));
  train_state_place(&m->state);
  ORR_TRY(train_state_commit(&m->state));
  train_state_place(&m->state);
  return ORR_OK;
}

static orr_code load_plain(train_loaded_model *m, ckpt_reader *r, bool ema) {
  m->step = ckpt_reader_step(r);
  m->taught = train_token_maker_taught(r);
  m->path = orr_strdup(ckpt_reader_path(r));
  ORR_CHECK(m->path, ORR_ENOMEM, "%s: out of memory", ckpt_reader_path(r));
  return train_store_load_weights(&m->state, r, ema, NULL, &m->ema);
}

// The weights of a base, as a run that adapts them has them.
static orr_code load_base(train_loaded_model *m, ckpt_reader *base, const ckpt_reader *adapter) {
  train_base b;
  bool ema;
  orr_hash_hex hash;
  ORR_TRY(train_base_compare(m->c, base, &b));
  orr_code rc = train_store_load_weights(&m->state, base, true, &b, &ema);
  train_base_release(&b);
  if (rc == ORR_OK) rc = train_base_hash(base, ema, &hash);
  return rc == ORR_OK ? train_base_is(adapter, &hash, ckpt_reader_path(base)) : rc;
}

// An adapter's tensors into `own`, and merged into the model.
static orr_code merge(train_loaded_model *m, ckpt_reader *r, const char *prefix, bool ema,
                      train_state *own, train_adapter *a) {
  train_state_place(own);
  train_adapter_place(a);
  ORR_TRY(train_state_commit(own));
  ORR_TRY(orr_arena_commit(train_adapter_arena(a)));
  train_state_place(own);
  train_adapter_place(a);
  ORR_TRY(train_store_load_named(own, r, prefix, ema, &m->ema));
  ORR_TRY(train_adapter_take_base(a));
  ORR_TRY(train_adapter_merge(a));
  return kern_sync(m->k);
}

static orr_code load_adapter(train_loaded_model *m, ckpt_reader *r, const char *prefix, bool ema) {
  train_state own;
  train_adapter *a = NULL;
  train_state_init(&own, m->k, KERN_F32, false, false);
  orr_code rc = train_adapter_list(m->c, &m->state.params, NULL, &own.params);
  if (rc == ORR_OK) rc = train_adapter_create(m->c, NULL, &m->state, &own, &a);
  if (rc == ORR_OK) rc = merge(m, r, prefix, ema, &own, a);
  train_adapter_destroy(a);
  train_state_release(&own);
  return rc;
}

// A checkpoint of a run that trains an adapter: its base, and the adapter.
static orr_code load_adapted(train_loaded_model *m, ckpt_reader *r, bool ema) {
  ckpt_reader *base = NULL;
  m->step = ckpt_reader_step(r);
  m->taught = train_token_maker_taught(r);
  m->path = orr_strdup(ckpt_reader_path(r));
  ORR_CHECK(m->path, ORR_ENOMEM, "%s: out of memory", ckpt_reader_path(r));
  ORR_TRY(ckpt_open_weights(m->c->train.init_from, &base));
  orr_code rc = load_base(m, base, r);
  ckpt_close(base);
  return rc == ORR_OK ? load_adapter(m, r, "", ema) : rc;
}

static orr_code load(train_loaded_model *m, ckpt_reader *r, int stage, bool ema) {
  ORR_TRY(read_config(m, r, stage));
  ORR_TRY(place(m));
  return train_adapter_is_on(m->c) ? load_adapted(m, r, ema) : load_plain(m, r, ema);
}

// `a`, a file of an adapter, on the base `r`. The model is the one that the adapter was trained in.
static orr_code load_with(train_loaded_model *m, ckpt_reader *r, ckpt_reader *a, int stage) {
  ORR_TRY(read_config(m, a, stage));
  ORR_CHECK(train_adapter_is_on(m->c), ORR_EFORMAT, "%s: holds no adapter", ckpt_reader_path(a));
  ORR_TRY(place(m));
  m->step = ckpt_reader_step(r);
  m->taught = train_token_maker_taught(a);
  m->path = orr_strdup(ckpt_reader_path(r));
  m->adapter = orr_strdup(ckpt_reader_path(a));
  ORR_CHECK(m->path && m->adapter, ORR_ENOMEM, "%s: out of memory", ckpt_reader_path(r));
  ORR_TRY(load_base(m, r, a));
  return load_adapter(m, a, TRAIN_ADAPTER_PREFIX, false);
}

static orr_code open_adapter(const char *adapter, ckpt_reader **out) {
  orr_path file;
  if (!orr_fs_is_dir(adapter)) return ckpt_open_weights(adapter, out);
  ORR_TRY(orr_fs_join(file, sizeof file, adapter, TRAIN_ADAPTER_FILE));
  return ckpt_open_weights(file, out);
}

orr_code train_loaded_model_open(const char *path, int stage, bool ema, kern *k,
                                 train_loaded_model **out) {
  return train_loaded_model_open_with(path, NULL, stage, ema, k, out);
}

orr_code train_loaded_model_open_with(const char *path, const char *adapter, int stage, bool ema,
                                      kern *k, train_loaded_model **out) {
  ckpt_reader *r = NULL, *a = NULL;
  ORR_TRY(adapter ? ckpt_open_weights(path, &r) : ckpt_open(path, &r));
  orr_code rc = adapter ? open_adapter(adapter, &a) : ORR_OK;
  train_loaded_model *m = orr_calloc(1, sizeof *m);
  if (!m && rc == ORR_OK) rc = ORR_FAIL(ORR_ENOMEM, "%s: out of memory", path);
  if (m) m->k = k;
  if (rc == ORR_OK) rc = a ? load_with(m, r, a, stage) : load(m, r, stage, ema);
  ckpt_close(a);
  ckpt_close(r);
  if (rc != ORR_OK) {
    train_loaded_model_close(m);
    return rc;
  }
  *out = m;
  return ORR_OK;
}

static orr_code describe(train_loaded_model *m, const char *text, const char *path) {
  m->path = orr_strdup(path);
  ORR_CHECK(m->path, ORR_ENOMEM, "%s: out of memory", path);
  ORR_TRY(cfg_create(&m->c));
  ORR_TRY(cfg_read_text(m->c, path, text, strlen(text)));
  return place(m);
}

orr_code train_loaded_model_of(const char *text, const char *path, kern *k,
                               train_loaded_model **out) {
  train_loaded_model *m = orr_calloc(1, sizeof *m);
  ORR_CHECK(m, ORR_ENOMEM, "%s: out of memory", path);
  m->k = k;
  const orr_code rc = describe(m, text, path);
  if (rc != ORR_OK) {
    train_loaded_model_close(m);
    return rc;
  }
  *out = m;
  return ORR_OK;
}

static orr_code give_weights(void *ctx, int64_t first, int64_t count, float *to) {
  memcpy(to, (const float *)ctx + first, (size_t)count * sizeof *to);
  return ORR_OK;
}

orr_code train_loaded_model_set(train_loaded_model *m, const float *flat) {
  train_packed_release(&m->state.weights);
  ORR_TRY(train_upload(m->k, train_state_weights(&m->state), m->state.params.total, give_weights,
                       (void *)(uintptr_t)flat));
  ORR_TRY(train_state_refresh(&m->state));
  return train_loaded_model_pack(m);
}

void train_loaded_model_close(train_loaded_model *m) {
  if (!m) return;
  train_packed_release(&m->state.weights);
  train_state_release(&m->state);
  orr_free(m->dynamics_p.blocks);
  orr_free(m->tokenizer_p.enc);
  orr_free(m->adapter);
  orr_free(m->path);
  cfg_destroy(m->c);
  orr_free(m);
}

orr_code train_loaded_model_pack(train_loaded_model *m) {
  train_weights *w = &m->state.weights;
  if (m->c->train.stage == CFG_STAGE_TOKENIZER)
    return train_packed_tokenizer(m->k, &m->tokenizer, &m->tokenizer_p, w);
  return train_packed_dynamics(m->k, &m->dynamics, &m->dynamics_p, w);
}

orr_code train_loaded_model_fits(const train_loaded_model *m, const data_index *x) {
  const train_tokenizer_dims *d = &m->tokenizer;
  const int64_t height = d->rows * d->patch, width = d->cols * d->patch;
  ORR_CHECK(x->format.height == height && x->format.width == width, ORR_EINVAL,
            "%s: frames are %" PRId64 " x %" PRId64 ", the tokenizer %s wants %" PRId64
            " x %" PRId64 ": use the tokenizer that "
            "fits them",
            x->dir, x->format.height, x->format.width, m->path, height, width);
  return ORR_OK;
}

// A portion of up to B frames, on either side of the border between host and device.
typedef struct {
  uint8_t *frames; // [B,height,width,3]
  int32_t *index;  // [B,S]
} portion;

struct train_codec {
  kern *k;
  train_tokenizer *model;
  orr_arena acts, staging; // staging: pinned
  int64_t B, S, frame_bytes;
  bool any; // portions may have any number of frames
  portion device, host;
};

static void place_portion(const train_codec *c, orr_arena *a, portion *p) {
  p->frames = orr_arena_take(a, (size_t)(c->B * c->frame_bytes));
  p->index = orr_arena_take(a, (size_t)(c->B * c->S) * sizeof *p->index);
}

static orr_code place_codec(train_codec *c) {
  place_portion(c, &c->acts, &c->device);
  place_portion(c, &c->staging, &c->host);
  return train_tokenizer_place(c->model, &c->acts);
}

orr_code train_codec_create(const train_loaded_model *m, int64_t B, train_codec **out) {
  orr_code rc;
  train_codec *c = orr_calloc(1, sizeof *c);
  ORR_CHECK(c, ORR_ENOMEM, "tokenizer for %" PRId64 " frames: out of memory", B);
  *c = (train_codec){.k = m->k,
                     .B = B,
                     .S = m->tokenizer.S,
                     .frame_bytes = m->tokenizer.S * m->tokenizer.P,
                     .any = m->state.weights.packed != NULL};
  kern_arena_init(m->k, &c->acts, "tokenizer activations");
  kern_arena_init_pinned(m->k, &c->staging, "staged frames");
  ORR_TRY_GOTO(train_tokenizer_create(m->k, &m->tokenizer, &m->tokenizer_p, &m->state.weights, B,
                                      TRAIN_NO_BACKWARD, &c->model),
               fail);
  ORR_TRY_GOTO(place_codec(c), fail);
  ORR_TRY_GOTO(orr_arena_commit(&c->acts), fail);
  ORR_TRY_GOTO(orr_arena_commit(&c->staging), fail);
  ORR_TRY_GOTO(place_codec(c), fail);
  *out = c;
  return ORR_OK;
fail:
  train_codec_destroy(c);
  return rc;
}

void train_codec_destroy(train_codec *c) {
  if (!c) return;
  train_tokenizer_destroy(c->model);
  orr_arena_release(&c->staging);
  orr_arena_release(&c->acts);
  orr_free(c);
}

// Frames that are worked on for a portion of n.
static int64_t take(train_codec *c, int64_t n) {
  if (!c->any) return c->B;
  train_tokenizer_take(c->model, n);
  return n;
}

static orr_code move(train_codec *c, void *dst, const void *src, int64_t bytes, kern_copy_way way) {
  return kern_copy(c->k,
                   &(kern_copy_args){.dst = dst, .src = src, .bytes = (size_t)bytes, .way = way});
}

orr_code train_codec_encode(train_codec *c, const uint8_t *frames, int64_t n, int32_t *index) {
  const int64_t index_bytes = c->S * (int64_t)sizeof *index;
  for (int64_t at = 0; at < n; at += c->B) {
    const int64_t part = n - at < c->B ? n - at : c->B;
    memcpy(c->host.frames, frames + at * c->frame_bytes, (size_t)(part * c->frame_bytes));
    ORR_TRY(
        move(c, c->device.frames, c->host.frames, take(c, part) * c->frame_bytes, KERN_COPY_IN));
    ORR_TRY(
        train_tokenizer_encode(c->model, &(train_frames){.u8 = c->device.frames}, c->device.index));
    ORR_TRY(move(c, c->host.index, c->device.index, part * index_bytes, KERN_COPY_OUT));
    ORR_TRY(kern_sync(c->k));
    memcpy(index + at * c->S, c->host.index, (size_t)(part * index_bytes));
  }
  return ORR_OK;
}

orr_code train_codec_decode(train_codec *c, const int32_t *index, int64_t n, uint8_t *frames) {
  const int64_t index_bytes = c->S * (int64_t)sizeof *index;
  for (int64_t at = 0; at < n; at += c->B) {
    const int64_t part = n - at < c->B ? n - at : c->B;
    memcpy(c->host.index, index + at * c->S, (size_t)(part * index_bytes));
    ORR_TRY(move(c, c->device.index, c->host.index, take(c, part) * index_bytes, KERN_COPY_IN));
    ORR_TRY(train_tokenizer_decode(c->model, c->device.index, c->device.frames, NULL));
    ORR_TRY(move(c, c->host.frames, c->device.frames, part * c->frame_bytes, KERN_COPY_OUT));
    ORR_TRY(kern_sync(c->k));
    memcpy(frames + at * c->frame_bytes, c->host.frames, (size_t)(part * c->frame_bytes));
  }
  return ORR_OK;
}

orr_code train_kern_open(const char *device, int threads, kern **out) {
  static const char *const names[] = {"auto", "cpu", "cuda"};
  for (int i = 0; i < 3; i++) {
    if (strcmp(device, names[i]) != 0) continue;
    ORR_TRY(kern_create((kern_device)i, threads, out));
    return kern_commit(*out);
  }
  return ORR_FAIL(ORR_ECONFIG, "--device is '%s': wanted auto, cpu or cuda", device);
}
