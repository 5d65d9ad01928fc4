// history.jsonl: what happened to a run, one object a line, appended by rank 0 and never cut back,
// so that it tells of all the processes that worked on the run, of the lost ones too.
//
//   start    a process begins after step 40; steps 41..47 of the one before, last seen at `seen`,
//            are lost:
//            {"time": s, "event": "start", "step": 40, "ranks": 8, "tp": .., "cp": .., "dp": ..,
//            "host": "..", "job": "..", "version": "..", "revision": "..", "memory": {"parameters":
//            bytes, ..}, "lost_steps": 7, "lost_s": 9.1, "seen": s}; "job" inside of a scheduler's
//   rewind   the process itself goes back to just after step 40:
//            {"time": s, "event": "rewind", "step": 40, "lost_steps": 7, "lost_s": 9.1}
//   died, hung   why the watchdog ended the job, by the rank that wrote its report:
//            {"time": s, "event": "died", "step": n, "words": "missing: rank 3 (..)"}
//   skipped, accepting, rewound, slow, quick (again), saved (the first one), save_failed, stopped,
//   finished, failed, ready
//            {"time": s, "event": .., "step": n, "words": ".."}
#ifndef TRAIN_HISTORY_H
#define TRAIN_HISTORY_H

#include <jansson.h>

#include "base/status.h"
#include "dist/grid.h"
#include "train/observe/append.h"

typedef struct train_history train_history;

// Local. Opens RUN_DIR/history.jsonl for appending and writes the start line of this process, which
// began at begun_ms (orr_clock_ms) and goes on after step `from`; before metrics.jsonl is cut back
// to that step. `memory`: bytes by class, NULL = not said; borrowed. ORR_EIO, ORR_ENOMEM.
orr_code train_history_open(const char *run_dir, const dist_grid *grid, double begun_ms,
                            int64_t from, json_t *memory, train_outage *outage,
                            train_history **out);
// Local. The process itself goes back to just after step `from`: notes which steps are lost, before
// metrics.jsonl is cut back. ORR_EIO, ORR_ENOMEM.
orr_code train_history_rewind(train_history *h, const char *run_dir, int64_t from);
// Local. One line; `words` may be NULL. Written now or when there is room. Takes NULL.
void train_history_add(train_history *h, const char *event, int64_t step, const char *words);
// Local. One line, by whoever is left of a job that ends, without a history that is open: died when
// the watchdog's `report` names a process that has ended, else hung. Failures are logged.
void train_history_add_report(const char *run_dir, int64_t step, const char *report);
// Local. *out (json_decref) is the array of the lines of RUN_DIR/history.jsonl, empty without the
// file; lines that cannot be read are left out, and counted in *bad. ORR_EIO, ORR_ENOMEM.
orr_code train_history_read(const char *run_dir, json_t **out, int64_t *bad);
void train_history_close(train_history *h); // takes NULL

#endif
