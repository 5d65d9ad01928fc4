// Who is examined: anybody who can say what comes next, and how surprising what came was. A model
// is one; the others are there to examine the examination: what each of them must score is known.
#ifndef TRAIN_EXAMINEE_H
#define TRAIN_EXAMINEE_H

#include <stdint.h>

#include "base/status.h"
#include "train/engine/engine.h"
#include "train/exam/set.h"
#include "train/infer/world_model.h"

// An episode of a set of which the first `given` frames, and all actions, are told.
typedef struct {
  const train_exam_set *set;
  int64_t episode, given;
} train_exam_clip;

typedef struct train_examinee {
  const char *name;
  void *ctx;
  // Local. What comes next: predicted [n,T,height,width,3] (=) from frame `given` of each clip on;
  // what lies before is left alone. nats [n,TRAIN_EXAM_MOST] (=) how unsure it was of each of these
  // frames, of a model -log probability of what it drew, when it was drawn; 0 of one who is never
  // unsure. NULL: not asked.
  orr_code (*predict)(void *ctx, const train_exam_clip *clip, int64_t n, uint8_t *predicted,
                      double *nats);
  // Local. How surprising each frame from `given` on is, 0 before: nats[n,TRAIN_EXAM_MOST] (=), of
  // a model -log probability given all frames before.
  orr_code (*surprise)(void *ctx, const train_exam_clip *clip, int64_t n, double *nats);
  void (*destroy)(void *ctx);
} train_examinee;

// Of a model.
typedef struct {
  int64_t passes; // in which a frame's likelihood is summed up, 1..S
  train_engine_settings decoding;
  double guidance;
  bool carry; // train/infer/carry.h
  const char *branch;
} train_examinee_options;

// X(name, sentence): those that need no model.
#define TRAIN_EXAMINEES(X)                                                                         \
  X(oracle, "the simulator itself: 100 %")                                                         \
  X(blind, "sees no past: 50 % on pairs")                                                          \
  X(copy, "holds the last frame")                                                                  \
  X(linear, "things go on as they last moved")                                                     \
  X(looks, "sees colours and their amounts alone: 50 % on pairs")

#define TRAIN_EXAMINEE_DECLARE(name, sentence) orr_code train_examinee_##name(train_examinee *out);
TRAIN_EXAMINEES(TRAIN_EXAMINEE_DECLARE)
#undef TRAIN_EXAMINEE_DECLARE
// Local. By its name; ORR_ECONFIG lists them.
orr_code train_examinee_find(const char *name, train_examinee *out);
// Local. Of the model of a configuration alone, which lies at `path`: ORR_EINVAL where its actions
// or frames do not fit the exam or the options, ORR_ECONFIG for a branch that it does not have.
orr_code train_examinee_model_check(const cfg *c, const char *path,
                                    const train_examinee_options *o);
// Local. A world model, which is borrowed. Errors as train_examinee_model_check's.
orr_code train_examinee_model(const train_loaded_model *dynamics,
                              const train_loaded_model *tokenizer, const train_examinee_options *o,
                              train_examinee *out);
void train_examinee_destroy(train_examinee *e); // takes one of zeros

#endif
