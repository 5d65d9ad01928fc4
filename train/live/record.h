// What makes a session: the models, the start, the seed, the settings, and the action that led to
// every frame. The frames follow from it, to the bit, wherever it is played again.
//
// The file:
//   0 char[8]  "orrsess1"
//   8 u32      bytes of the head, 12 u32 of the packed body, 16 u32 of the plain one
//  20 head     JSON: checkpoint, tokenizer, ema, branch, fps, components, positions, prompt,
//  frames,
//              seed, sample, steps, temperature, choice_temperature, window, mapping, start
//     body     deflated (RFC 1950): tokens of the prompt u32 [prompt,positions], its actions
//              f32 [prompt-1,components], then runs until there are `frames` of them: a count of 7
//              bits a byte, the lower ones first, and f32 [components]; then a u64 every
//              TRAIN_RECORD_DIGEST_EVERY frames and one for the rest: the chain of hashes up to
//              there
//     u8[16]   XXH3-128 of all before
// All numbers are little-endian. One thread at a time.
#ifndef TRAIN_LIVE_RECORD_H
#define TRAIN_LIVE_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/json.h"
#include "base/status.h"
#include "train/engine/engine.h"

enum { TRAIN_RECORD_DIGEST_EVERY = 256 };

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
// the record has become too long.
orr_code train_record_add(train_record *r, const float *action, orr_hash128 hash);
// Local. The action that led to frame `i` after the prompt, [A]; borrowed.
const float *train_record_action(const train_record *r, int64_t i);
// Local. Forgets what followed the first `frames` frames after the prompt, whose chain is `chain`.
void train_record_cut(train_record *r, int64_t frames, orr_hash128 chain);
// Local. The chain after one more frame.
orr_hash128 train_record_link(orr_hash128 chain, orr_hash128 frame);

// Local. The file; *bytes is from orr_malloc. ORR_ENOMEM.
orr_code train_record_write(const train_record *r, uint8_t **bytes, size_t *size);
// Local. A record from a file's bytes, `what` names it. ORR_EFORMAT, ORR_ECORRUPT, ORR_ENOMEM.
orr_code train_record_read(const char *what, const uint8_t *bytes, size_t size, train_record *r);

#endif
