#include "train/infer/moves.h"

#include "base/log.h"

bool train_moves_of(const data_index *x, int64_t stride, train_pose_moves *out) {
  const json_t *actions = json_object_get(x->json, "actions");
  if (train_pose_moves_read(actions, (double)stride / x->format.fps, out)) return true;
  ORR_WARN("%s: memory by pose wants action components forward (m/s) and turn (rad/s), as "
           "index.json names them under actions; frames are kept by likeness instead",
           x->dir);
  return false;
}
