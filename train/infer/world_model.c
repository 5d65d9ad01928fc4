#include "train/infer/world_model.h"

#include <inttypes.h>

// A tokenizer of other codes would index past the model's tables.
static orr_code check_pair(const train_loaded_model *dynamics,
                           const train_loaded_model *tokenizer) {
  const int64_t codes = train_tokenizer_codes(&tokenizer->tokenizer), S = tokenizer->tokenizer.S;
  ORR_CHECK(codes == dynamics->dynamics.V && S == dynamics->dynamics.S, ORR_EINVAL,
            "%s has %" PRId64 " codes at %" PRId64 " positions, %s wants %" PRId64 " at %" PRId64
            ": give the tokenizer that it "
            "was trained with",
            tokenizer->path, codes, S, dynamics->path, dynamics->dynamics.V, dynamics->dynamics.S);
  return ORR_OK;
}

orr_code train_world_model_open_on(const orr_args *a, const char *checkpoint, kern *k,
                                   train_world_model *m) {
  const bool ema = !orr_args_flag(a, "no-ema");
  ORR_TRY(train_loaded_model_open_with(checkpoint, orr_args_text(a, "adapter", NULL),
                                       CFG_STAGE_DYNAMICS, ema, k, &m->dynamics));
  const char *tokenizer = orr_args_text(a, "tokenizer", m->dynamics->c->tokenizer.checkpoint);
  ORR_CHECK(tokenizer[0], ORR_ECONFIG,
            "%s does not name its tokenizer: give --tokenizer CHECKPOINT", m->dynamics->path);
  ORR_TRY(train_loaded_model_open(tokenizer, CFG_STAGE_TOKENIZER, true, k, &m->tokenizer));
  ORR_TRY(check_pair(m->dynamics, m->tokenizer));
  ORR_TRY(train_token_maker_pair(m->dynamics->path, &m->dynamics->taught, m->tokenizer->path,
                                 orr_args_flag(a, "any-tokenizer")));
  ORR_TRY(train_loaded_model_pack(m->dynamics));
  return train_loaded_model_pack(m->tokenizer);
}

orr_code train_world_model_open(const orr_args *a, const char *checkpoint, train_world_model *m) {
  int64_t threads = 0;
  ORR_TRY(orr_args_i64(a, "threads", 0, 4096, &threads));
  ORR_TRY(train_kern_open(orr_args_text(a, "device", "auto"), (int)threads, &m->k));
  return train_world_model_open_on(a, checkpoint, m->k, m);
}

orr_code train_world_model_fits(const train_world_model *m, const data_index *x) {
  const train_dynamics_dims *d = &m->dynamics->dynamics;
  ORR_TRY(train_loaded_model_fits(m->tokenizer, x));
  ORR_TRY(train_views_fit(&d->views, d->rows, d->cols, &x->format, x->dir));
  ORR_CHECK(x->format.A <= m->dynamics->dynamics.A, ORR_EINVAL,
            "%s has %" PRId64 " action components, the model takes %" PRId64
            ": use a data set of a branch that "
            "the model was trained on",
            x->dir, x->format.A, m->dynamics->dynamics.A);
  return ORR_OK;
}

void train_world_model_close(train_world_model *m) {
  train_loaded_model_close(m->tokenizer);
  train_loaded_model_close(m->dynamics);
  kern_destroy(m->k);
}
