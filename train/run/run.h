// A training run's parts, opened in the order in which they may fail: axes, model, folder, weights,
// data, outputs. train/loop takes the steps.
#ifndef TRAIN_RUN_H
#define TRAIN_RUN_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/hash.h"
#include "data/clips/clip_batch.h"
#include "data/clips/loader.h"
#include "data/clips/mix.h"
#include "data/remote/remote.h"
#include "dist/watchdog.h"
#include "train/run/accounting.h"
#include "train/run/guard.h"
#include "train/run/holding.h"
#include "train/run/options.h"
#include "train/run/observer.h"
#include "train/observe/fingerprint_log.h"
#include "train/run/replica_check.h"
#include "train/save/copies.h"
#include "train/save/saver.h"
#include "train/save/token_maker.h"
#include "train/step/step.h"

enum { TRAIN_RUN_FOLDERS = 64 }; // of clips, at most

typedef struct train_run {
  cfg *c;
  dist_world *world;
  double begun_ms; // the process, by orr_clock_ms
  dist_comm *all;  // axis of the world
  char *config_text;
  orr_hash128 config_hash;
  train_axes axes;
  kern *k;
  train_step work;
  train_accounting accounting;
  kern_dtype act;        // of activations
  double peak;           // FLOP/s of one rank's matrix products: the best rate seen
  train_holding holding; // rank 0 holds the folder
  train_guard guard;
  int64_t step;                        // steps done
  int64_t ahead;                       // steps of data passed over, besides
  bool has_base;                       // of an adapter: its base is loaded
  orr_hash_hex base_hash;              // of its weights; known to rank 0
  char *origin;                        // checkpoint that the weights came from; NULL = none
  train_token_maker taught, tokens_by; // whose tokens it learned, and whose data.train holds
  data_remote *remote;
  int32_t branch_ids[TRAIN_RUN_FOLDERS];
  data_mix_options mix_options;
  data_mix *mix;
  data_loader *loader;
  train_observer *observer;
  train_fingerprint_log *record; // NULL = none
  train_saver *saver;
  train_copies *copies;          // NULL where none are made
  train_replica_check *replicas; // NULL = not compared
  dist_watchdog *watchdog;       // watches from the beginning on
  atomic_int_least64_t reached;  // `step`, for the watchdog's thread
} train_run;

// All are collective over the world, and every rank returns the same code. After an error of any,
// and at the end: train_run_close.

// Agrees on the configuration, lays the ranks out and plans the model; memory and traffic are
// logged. What the configuration leaves to the device is decided, unless the run that o->resume
// means has done so. With o->dry_run nothing is allocated. *r holds zeros, c, world
// and begun_ms.
orr_code train_run_plan(train_run *r, const train_run_options *o);
// Takes the run's folder, and opens weights (from `resume`: see train_run_options), data and
// outputs; a run that is done already opens neither data nor outputs, and so leaves no trace.
orr_code train_run_open(train_run *r, const char *resume);
// Whether all steps are taken. Local.
bool train_run_done(const train_run *r);
// Writes config.yaml and where the record goes on; the watchdog looks at steps from here on, and
// they may follow.
orr_code train_run_begin(train_run *r);
// The clips; a part of train_run_open, which takes no folder and opens no outputs.
orr_code train_run_open_data(train_run *r);
// Weights, states, step and data as the checkpoint has them, in a run that is open; NULL: as a run
// begins. Local.
orr_code train_run_load(train_run *r, ckpt_reader *reader);
// A loader that begins with the batch of the next step, in place of the one there is. Local.
orr_code train_run_open_loader(train_run *r);
// The same from batch number `batch` in the order of the data; the first one is 0. Local.
orr_code train_run_open_loader_at(train_run *r, int64_t batch);
// What a checkpoint tells of the run besides its tensors: a new object, or NULL. Local.
json_t *train_run_meta(train_run *r);
void train_run_close(train_run *r);

#endif
