// What an import will write, found by looking at every source: which episodes, how long, into which
// shards; one format of frames and actions for all of them; the ranges of the actions; and a key
// that tells this import from any other. Private to data/.
#ifndef DATA_IMPORT_PLAN_H
#define DATA_IMPORT_PLAN_H

#include "base/hash.h"
#include "data/import/align.h"
#include "data/import/episode.h"
#include "data/import/folder.h"
#include "data/shard/shard.h"
#include "base/workers.h"
#include "data/import/referred.h"

typedef struct {
  int64_t episode; // number in the list
  data_import_timing timing;
  int64_t from, frames; // output frames of it that are written: all, or a part
  bool validation;
  uint64_t key;     // of the recording, wherever it lies
  uint64_t content; // the same but for its name, and the sizes of its files
  uint64_t made;    // of what becomes of it, with these options
  bool copied;      // from one before it
} data_import_item;

// Items first .. first+n-1 of one part.
typedef struct {
  bool validation;
  int64_t number; // of the shard, in its part
  int64_t first, n;
} data_import_job;

typedef struct {
  const data_import_options *o; // borrowed
  orr_board *board;             // borrowed, or NULL
  // Files that took a worker process down, and how; borrowed, or NULL. They are not opened again.
  const data_import_faults *crashed;
  const data_import_folder *folder; // borrowed, or NULL: as if it were new
  data_import_list episodes;
  data_import_faults faults;     // recordings that cannot be used
  data_import_referred referred; // files that are there for recordings
  data_import_notes notes;
  data_import_item *items; // training first, each part in the order of the episodes
  int64_t count, validation_count, too_short;
  int64_t known;         // recordings left out because they are there already
  int64_t frames;        // of all items
  data_import_job *jobs; // one a shard
  int64_t job_count;
  data_shard_format *format;
  double (*ranges)[2];          // [A]: mapped to [-1,1]; NULL: values stay
  bool numbers;                 // some pictures are made of numbers
  double pixel_low, pixel_high; // black and white in them
  orr_hash128 key;              // of the options and the sources
} data_import_plan;

// Local. Looks at all sources; every fault in them but a damaged picture comes out here. Recordings
// that cannot be used are told to o->bad, and left out or, without o->skip_bad, an error.
// What the folder holds already is left out, and the rest made to fit it; p->count 0: there is
// nothing new.
orr_code data_import_plan_make(const data_import_options *o, const data_import_faults *crashed,
                               const data_import_folder *folder, data_import_plan *out);
// Local, in a worker process: makes the same plan for nothing but the progress and the notes on the
// board. Bad recordings are no error: the parent finds them again, now that nothing crashes.
orr_code data_import_plan_rehearse(const data_import_options *o, const data_import_faults *crashed,
                                   orr_board *board);
// Local. Frees what the plan holds.
void data_import_plan_release(data_import_plan *p);
// The rows of an item as they are written; NULL for what the format has not.
typedef struct {
  float *actions; // [frames,A]
  float *reward;  // [frames]
  uint8_t *done;  // [frames]
  uint8_t success;
} data_import_output;
// Local. *out is released by the caller, also after an error.
orr_code data_import_plan_rows(const data_import_plan *p, const data_import_item *item,
                               data_import_output *out);
void data_import_output_release(data_import_output *out);
// Local. An item's recording, as it is called in index.json, into out[size]: with the last part of
// the operand that it lies below.
void data_import_plan_label(const data_import_plan *p, int64_t episode, char *out, size_t size);
// Local. Folder of the training or the validation part into out[size].
orr_code data_import_plan_dir(const data_import_plan *p, bool validation, char *out, size_t size);

#endif
