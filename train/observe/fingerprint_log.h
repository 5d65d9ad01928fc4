// RUN_DIR/record.jsonl: fingerprints of the steps of a run, so that a step can be repeated and
// compared (train/run/replay.h). Rank 0 appends; when the file has grown to guard.record_bytes it
// becomes record.1.jsonl in place of the one before, so that the record stays bounded.
//
//   {"start": 40, "ahead": 3, "bits": {..}, "program": "..", "config": "..", "hosts": [..]}
//        steps behind 40 follow, with data 3 steps further; lines of such steps before this one are
//        of a run that died or went back
//   {"step": 41, "batch": ["..", ..], "local": [..], ..}   16 hexadecimal digits for each rank
#ifndef TRAIN_RECORD_H
#define TRAIN_RECORD_H

#include <jansson.h>

#include "configs/config.h"
#include "dist/comm.h"
#include "kernels/kern.h"
#include "train/step/fingerprint.h"

// -- writing -------------------------------------------------------------------------------------

typedef struct train_record train_record;
typedef struct {
  const cfg *c;
  const char *config_text; // borrowed, as c
  dist_world *world;
  const kern *k;
} train_record_options;

// Collective over the world. *out is NULL when guard.record_every is 0. Every rank returns the same
// code; a file that cannot be written is a warning.
orr_code train_record_create(const train_record_options *o, train_record **out);
void train_record_destroy(train_record *r); // takes NULL
// Local. Whether a step is to be recorded. Takes NULL.
bool train_record_wants(const train_record *r, int64_t step);
// Local. Steps behind `step` come next, with data `ahead` steps further. Takes NULL.
void train_record_start(train_record *r, int64_t step, int64_t ahead);
// Collective over the world. Notes a step; nothing is allocated. Takes NULL.
orr_code train_record_step(train_record *r, int64_t step, const train_fingerprint *mine);

// Local. What decides the bits of a step beside cfg_diff's rows, key by key: layout, device,
// threads. A new object, or NULL without memory.
json_t *train_record_bits(const cfg *c, const dist_world *w, const kern *k);
// Local. XXH3-128 of the running program, as text. ORR_EIO.
orr_code train_record_program(orr_hash_hex *out);

// -- reading -------------------------------------------------------------------------------------

typedef struct train_record_reader train_record_reader;

// Local. Steps from+1 to `to` as they are recorded in RUN_DIR, as the run last took them. ORR_EIO,
// ORR_ENOMEM; ORR_ENOTFOUND when it does not hold all of these steps.
orr_code train_record_open(const char *run_dir, int64_t from, int64_t to,
                           train_record_reader **out);
void train_record_close(train_record_reader *r); // takes NULL
// Local. The start line of a step, borrowed.
const json_t *train_record_head(const train_record_reader *r, int64_t step);
int64_t train_record_ahead(const train_record_reader *r, int64_t step);
// Local. Fingerprints of all ranks; false when the step is not recorded.
bool train_record_prints(const train_record_reader *r, int64_t step, int ranks,
                         train_fingerprint *out);

#endif
