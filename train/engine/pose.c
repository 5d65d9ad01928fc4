#include "train/engine/pose.h"

#include <math.h>
#include <string.h>

// Component `name` in `unit`: its number and what action 1 does in a frame.
static int32_t find(const json_t *actions, const char *name, const char *unit, double frame_s,
                    double *step) {
  size_t i;
  json_t *a;
  *step = 0;
  json_array_foreach((json_t *)actions, i, a) {
    const char *its = json_string_value(json_object_get(a, "name"));
    const char *in = json_string_value(json_object_get(a, "unit"));
    const double high = json_number_value(json_object_get(a, "high"));
    if (!its || !in || strcmp(its, name) != 0 || strcmp(in, unit) != 0 || !(high > 0)) continue;
    *step = high * frame_s;
    return (int32_t)i;
  }
  return -1;
}

bool train_pose_moves_read(const json_t *actions, double frame_s, train_pose_moves *out) {
  out->forward = find(actions, "forward", "m/s", frame_s, &out->forward_m);
  out->strafe = find(actions, "strafe", "m/s", frame_s, &out->strafe_m);
  out->turn = find(actions, "turn", "rad/s", frame_s, &out->turn_r);
  out->look = find(actions, "look", "rad/s", frame_s, &out->look_r);
  return out->forward >= 0 && out->turn >= 0;
}

static double done(int32_t component, double step, const float *action) {
  if (component < 0) return 0;
  return step * fmax(-1, fmin(1, (double)action[component]));
}

train_pose train_pose_after(const train_pose_moves *m, train_pose p, const float *action) {
  const double turn = done(m->turn, m->turn_r, action), heading = p.yaw + turn / 2;
  const double ahead = done(m->forward, m->forward_m, action),
               left = done(m->strafe, m->strafe_m, action);
  return (train_pose){(float)(p.x + ahead * cos(heading) - left * sin(heading)),
                      (float)(p.y + ahead * sin(heading) + left * cos(heading)),
                      (float)(p.yaw + turn), (float)(p.pitch + done(m->look, m->look_r, action))};
}

static double shared(double angle) {
  const double apart = fabs(angle - 2 * M_PI * floor((angle + M_PI) / (2 * M_PI)));
  return fmax(0, 1 - apart / TRAIN_POSE_LENS);
}

double train_pose_overlap(train_pose a, train_pose b) {
  const double d = hypot((double)a.x - b.x, (double)a.y - b.y);
  return shared((double)a.yaw - b.yaw) * shared((double)a.pitch - b.pitch) / (1 + d);
}
