// The folder that holds a run's checkpoints: names, order, `latest`, retention. Local throughout;
// what changes the folder is for rank 0 only.
//
//   step-00001000/           committed
//   step-00001000.replaced/  committed; the moment between two renames when a step is saved again
//   .tmp-step-00001000/      being written, or left over by a crash
//   latest                   text: the name of the newest committed folder
#ifndef CHECKPOINTS_ROOT_H
#define CHECKPOINTS_ROOT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

typedef struct {
  char s[64];
} ckpt_name;

ckpt_name ckpt_tmp_name(int64_t step); // .tmp-step-00001000

typedef struct {
  ckpt_name name;
  int64_t step;
  bool replaced;
} ckpt_candidate;

// Checkpoint folders in the order in which a run should try them: what `latest` names, then the
// ones before it, newest first, then later ones (they belong to a run that was rolled back, or to a
// commit that died before it moved `latest`). Without a usable `latest`: newest first. *out is
// freed with orr_free. A root that does not exist has none.
orr_code ckpt_root_candidates(const char *root, ckpt_candidate **out, int *count);
typedef enum {
  CKPT_ROOT_ABSENT,
  CKPT_ROOT_DANGLING, // a link to something that is not there
  CKPT_ROOT_FILE,     // no folder
  CKPT_ROOT_EMPTY,    // no checkpoint, and nothing says that there was one
  CKPT_ROOT_LOST,     // no checkpoint, but `latest` names one
  CKPT_ROOT_FILLED
} ckpt_root_kind;
// What there is at the place of a root. ORR_EIO.
orr_code ckpt_root_look(const char *root, ckpt_root_kind *out);
// Makes the root and writes to it, as saving will: a file for rank `rank`, removed again. Any rank.
orr_code ckpt_root_try(const char *root, int rank);
// Makes the root and a fresh .tmp-step-*; removes what crashed saves left and gives a
// step-N.replaced without successor its name back. ORR_EIO when fewer than `bytes` are free.
orr_code ckpt_root_prepare(const char *root, int64_t step, uint64_t bytes);
// .tmp-step-N -> step-N, fsync of the root, `latest`. A step-N that is already there gives way.
orr_code ckpt_root_publish(const char *root, int64_t step);
// Removes committed folders of steps before `step`, except the `keep - 1` newest of them, multiples
// of keep_every, and what `latest` names. keep <= 0 keeps all. Failures are logged, not returned:
// the new checkpoint is safe already.
void ckpt_root_retain(const char *root, int64_t step, int64_t keep, int64_t keep_every);
void ckpt_root_discard(const char *root, int64_t step); // removes .tmp-step-N; failures are logged
// fsync of the folder that holds `path`.
orr_code ckpt_sync_parent(const char *path);

#endif
