// RUN_DIR/record.jsonl: fingerprints of the steps of a run, so that a step can be repeated and
// compared (train/run/replay.h). Rank 0 appends; when the file has grown to guard.record_bytes it
// becomes record.1.jsonl in place of the one before, so that the record stays bounded.
//
//   {"start": 40, "ahead": 3, "bits": {..}, "program": "..", "config": "..", "hosts": [..]}
//        steps after 40 follow, with data 3 steps further; lines of such steps before this one are
//        of a run that died or went back
//   {"step": 41, "batch": ["..", ..], "local": [..], ..}   16 hexadecimal digits for each rank
//
// With run.exact a line ends with "chain": "..", the hash of the chain up to the recorded step
// before and of this step as all layouts have it (train/step/fingerprint.h); the first one follows
// on the configuration's hash. A line that is changed, taken out or put in breaks it there.
#ifndef TRAIN_FINGERPRINT_LOG_H
#define TRAIN_FINGERPRINT_LOG_H

#include <jansson.h>

#include "configs/config.h"
#include "dist/world.h"
#include "kernels/kern.h"
#include "train/observe/append.h"
#include "train/step/fingerprint.h"

// -- writing --------------------------------------------------------------------------------

typedef struct train_fingerprint_log train_fingerprint_log;
typedef struct {
  const cfg *c;
  const char *config_text; // borrowed, as c
  dist_world *world;
  const kern *k;
  train_outage *outage; // of the run's folder
} train_fingerprint_log_options;

// Collective over the world. *out is NULL when guard.record_every is 0. Every rank returns the same
// code; a file that cannot be written is a warning.
orr_code train_fingerprint_log_create(const train_fingerprint_log_options *o,
                                      train_fingerprint_log **out);
void train_fingerprint_log_destroy(train_fingerprint_log *r); // takes NULL
// Local. Whether a step is to be recorded. Takes NULL.
bool train_fingerprint_log_wants(const train_fingerprint_log *r, int64_t step);
// Local. Steps after `step` come next, with data `ahead` steps further. Takes NULL.
void train_fingerprint_log_start(train_fingerprint_log *r, int64_t step, int64_t ahead);
// Collective over the world. Notes a step; nothing is allocated. Takes NULL.
orr_code train_fingerprint_log_step(train_fingerprint_log *r, int64_t step,
                                    const train_fingerprint *mine);

// Local, rank 0. The chain of an exact run up to its last recorded step, and that step (0: none);
// false elsewhere. Takes NULL.
bool train_fingerprint_log_chain(const train_fingerprint_log *r, int64_t *step, orr_hash_hex *out);
// Local. What the chain of a configuration begins with.
orr_code train_fingerprint_log_first(const cfg *c, orr_hash128 *out);

// Local. What decides the bits of a step beside cfg_diff's rows, key by key: layout, device,
// threads. A new object, or NULL without memory.
json_t *train_fingerprint_log_bits(const cfg *c, const dist_world *w, const kern *k);
// Local. XXH3-128 of the running program, as text. ORR_EIO.
orr_code train_fingerprint_log_program(orr_hash_hex *out);

// -- reading --------------------------------------------------------------------------------

typedef struct train_fingerprint_log_reader train_fingerprint_log_reader;

// Local. Steps from+1 to `to` as they are recorded in RUN_DIR, as the run last took them. ORR_EIO,
// ORR_ENOMEM; ORR_ENOTFOUND when it does not hold all of these steps.
orr_code train_fingerprint_log_open(const char *run_dir, int64_t from, int64_t to,
                                    train_fingerprint_log_reader **out);
void train_fingerprint_log_close(train_fingerprint_log_reader *r); // takes NULL
// Local. The steps that the record of RUN_DIR covers: from+1 to `to`. As open.
orr_code train_fingerprint_log_span(const char *run_dir, int64_t *from, int64_t *to);
// Local. A recorded step of an exact run as all layouts have it, and the chain that its line tells
// of, "" where there is none; false when the step is not recorded.
bool train_fingerprint_log_whole(const train_fingerprint_log_reader *r, int64_t step,
                                 train_fingerprint *out, orr_hash_hex *chain);
// Local. The start line of a step, borrowed.
const json_t *train_fingerprint_log_head(const train_fingerprint_log_reader *r, int64_t step);
int64_t train_fingerprint_log_ahead(const train_fingerprint_log_reader *r, int64_t step);
// Local. Fingerprints of all ranks; false when the step is not recorded.
bool train_fingerprint_log_entry(const train_fingerprint_log_reader *r, int64_t step, int ranks,
                                 train_fingerprint *out);

#endif
