// What makes a session: the models, the start, the seed, the settings, and the action that led to
// every frame. The frames follow from it, to the bit, wherever it is played again.
// One thread at a time.
#ifndef TRAIN_LIVE_RECORD_H
#define TRAIN_LIVE_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/json.h"
#include "base/status.h"
#include "train/engine/engine.h"

enum {
  TRAIN_RECORD_DIGEST_EVERY = 256,
  TRAIN_RECORD_MOST_BYTES = 128 << 20, // of the runs: ten hours of 60 changes a second, many times
  TRAIN_RECORD_MOST_FRAMES = 1 << 30,
};

// An action that was held.
typedef struct {
  int64_t end; // one past the last frame that it led to, counted from the first after the prompt
  float v[];   // [A]
} train_record_run;

typedef struct {
  orr_hash_hex checkpoint, tokenizer;
  bool ema;
  int64_t A, S, prompt, window;
  int32_t branch;
  double fps;
  train_engine_settings settings;
  json_t *mapping;       // of keys, as the page has it; NULL = none
  json_t *start;         // where the prompt is from, in words
  int32_t *tokens;       // [prompt,S]
  float *prompt_actions; // [prompt-1,A]
  int64_t frames;        // after the prompt
  unsigned char *runs;   // train_record_run of run_bytes each
  int64_t run_count, run_room, most_runs;
  size_t run_bytes;
  orr_hash128 chain; // of all frames' hashes
  uint64_t *digests; // [frames / TRAIN_RECORD_DIGEST_EVERY]
  int64_t digest_room;
} train_record;

// Local. An empty record of a session with this prompt, which is copied; sizes and settings are set
// before. `most_bytes` bounds what it may grow to. ORR_ENOMEM.
orr_code train_record_begin(train_record *r, const int32_t *tokens, const float *prompt_actions,
                            size_t most_bytes);
void train_record_release(train_record *r);
// Local. The next frame, which `action` [A] led to, has pixels of this hash. ORR_ENOMEM, also where
// the record is full.
orr_code train_record_add(train_record *r, const float *action, orr_hash128 hash);
// Local. The next `frames` frames, which `action` led to, of unknown pixels: the chain stays.
orr_code train_record_hold(train_record *r, const float *action, int64_t frames);
// Local. Whether there may be no room for another frame.
bool train_record_is_full(const train_record *r);
// Local. Run i of run_count.
const train_record_run *train_record_run_at(const train_record *r, int64_t i);
// Local. The action that led to frame `i` after the prompt, [A]; borrowed.
const float *train_record_action(const train_record *r, int64_t i);
// Local. Forgets what followed the first `frames` frames after the prompt, whose chain is `chain`.
void train_record_cut(train_record *r, int64_t frames, orr_hash128 chain);
// Local. The chain after one more frame.
orr_hash128 train_record_link(orr_hash128 chain, orr_hash128 frame);

#endif
