// Where somebody stands and looks who moves by actions of named units (`forward` and `strafe` in
// m/s, `turn` and `look` in rad/s, as index.json has them under `actions`): a sum of what was done,
// which knows of no walls. Two poses tell how much of one view the other shows, without a look at
// either picture. Local; thread safe.
#ifndef TRAIN_ENGINE_POSE_H
#define TRAIN_ENGINE_POSE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define TRAIN_POSE_LENS 1.3 // radians: views turned farther apart share nothing

// Which components of an action move how; those that are not there stay still.
typedef struct {
  int32_t forward, strafe, turn, look;        // components, -1 = none
  double forward_m, strafe_m, turn_r, look_r; // what action 1 does in a frame
} train_pose_moves;

typedef struct {
  float x, y, yaw, pitch; // metres and radians from where the session began
} train_pose;

// Local. From `actions` of a data set's index.json (NULL: it has none) and the seconds of a frame.
// Says whether it tells how to move: `forward` and `turn` at least, in those units.
bool train_pose_moves_read(const json_t *actions, double frame_s, train_pose_moves *out);
// Local. After one frame under `action`, whose turn is made half before and half after the step.
train_pose train_pose_after(const train_pose_moves *m, train_pose from, const float *action);
// Local. 1 for the same view, 0 for views that share nothing: falls evenly to 0 as they turn apart
// by TRAIN_POSE_LENS, and with the distance d in metres as 1 / (1 + d).
double train_pose_overlap(train_pose a, train_pose b);

#endif
