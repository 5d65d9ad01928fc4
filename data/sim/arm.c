// The arm scene's physics: MuJoCo, for the interface of data/sim/arm.h.
//
// A hand is commanded that moves as the actions say, within its reach; joint servos follow it. The
// arm's own weight is carried by the forces that hold it up at the moment.
#include "data/sim/arm.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "data/sim/arm_model.h"
#include "data/sim/arm_view.h"
#include "data/sim/canvas.h"

#define TIMESTEP_MAX_S 0.004
#define APART          0.13 // m between block and disc at the start, at least
#define GEOMS          64   // shapes that are drawn, at most
enum { START_TRIES = 10000, FINGERS = 2 };

struct data_arm {
  mjModel *model;
  mjData *data;
  data_canvas *canvas; // NULL: physics without pictures
  int height, width, substeps, wrist, tips, disc, hand, block_pos, block_vel;
  double dt_s;
  float command[DATA_ARM_ACTIONS]; // the hand that is wanted
};

static orr_code find_all(data_arm *a) {
  int joint = 0, body = 0;
  ORR_TRY(data_mujoco_find(a->model, mjOBJ_CAMERA, "wrist", &a->wrist));
  ORR_TRY(data_mujoco_find(a->model, mjOBJ_SITE, "tips", &a->tips));
  ORR_TRY(data_mujoco_find(a->model, mjOBJ_BODY, "hand", &a->hand));
  ORR_TRY(data_mujoco_find(a->model, mjOBJ_BODY, "disc", &body));
  a->disc = a->model->body_mocapid[body];
  ORR_TRY(data_mujoco_find(a->model, mjOBJ_JOINT, "block", &joint));
  a->block_pos = a->model->jnt_qposadr[joint];
  a->block_vel = a->model->jnt_dofadr[joint];
  return ORR_OK;
}

orr_code data_arm_create(int64_t height, int64_t width, double fps, data_arm **out) {
  orr_code rc = ORR_OK;
  const bool pictures = height != 0 || width != 0;
  ORR_CHECK(!pictures || (height >= 16 && height <= 1024 && width == 2 * height), ORR_EINVAL,
            "arm scene: frames of %" PRId64 " x %" PRId64
            ": two square views side by side, so the width is twice the height, 16 to 1024 (--size "
            "64x128)",
            height, width);
  ORR_CHECK(fps >= 1 && fps <= 100, ORR_EINVAL, "%g frames a second: must be from 1 to 100", fps);
  data_arm *a = orr_calloc(1, sizeof *a);
  ORR_CHECK(a, ORR_ENOMEM, "out of memory for an arm scene");
  a->height = (int)height;
  a->width = (int)width;
  a->dt_s = 1 / fps;
  a->substeps = (int)ceil(1 / (fps * TIMESTEP_MAX_S) - 1e-9);
  ORR_TRY_GOTO(data_arm_compile(1 / (fps * a->substeps), &a->model), destroy);
  ORR_TRY_GOTO(data_mujoco_state(a->model, &a->data), destroy);
  ORR_TRY_GOTO(find_all(a), destroy);
  if (pictures)
    ORR_TRY_GOTO(data_canvas_create(a->model, height, width, GEOMS, &a->canvas), destroy);
  *out = a;
  return ORR_OK;
destroy:
  data_arm_destroy(a);
  return rc;
}

void data_arm_destroy(data_arm *a) {
  if (!a) return;
  data_canvas_destroy(a->canvas);
  mj_deleteData(a->data);
  mj_deleteModel(a->model);
  orr_free(a);
}

static double finger_of(double opening) {
  return DATA_ARM_FINGER_LEAST + (DATA_ARM_FINGER_MOST - DATA_ARM_FINGER_LEAST) * opening;
}

// What the servos are to reach.
static void set_servos(data_arm *a, double *to) {
  data_arm_joints(a->command, to);
  for (int i = 0; i < FINGERS; i++)
    to[DATA_ARM_JOINTS + i] = finger_of(a->command[DATA_ARM_OPENING]);
}

// A place on the table within reach, of draws number `position` and the next.
static void draw_place(uint64_t seed, uint64_t episode, uint64_t position, double *x, double *y) {
  *x = 0.34 + 0.24 * orr_rng_uniform(seed, ORR_STREAM_SCENE, episode, position);
  *y = 0.40 * orr_rng_uniform(seed, ORR_STREAM_SCENE, episode, position + 1) - 0.20;
}

orr_code data_arm_reset(data_arm *a, uint64_t seed, uint64_t episode) {
  double block[2], disc[2];
  uint64_t at = 16;
  mj_resetData(a->model, a->data);
  draw_place(seed, episode, 2, &block[0], &block[1]);
  do {
    ORR_CHECK(at < START_TRIES, ORR_EINVAL,
              "arm scene: no start for episode %" PRIu64 " of seed %" PRIu64
              "; choose another seed",
              episode, seed);
    draw_place(seed, episode, at, &disc[0], &disc[1]);
    at += 2;
  } while (hypot(block[0] - disc[0], block[1] - disc[1]) < APART);
  const double yaw = 0.7 * (2 * orr_rng_uniform(seed, ORR_STREAM_SCENE, episode, 0) - 1);
  double *q = a->data->qpos + a->block_pos, *mocap = a->data->mocap_pos + 3 * a->disc;
  q[0] = block[0];
  q[1] = block[1];
  q[2] = DATA_ARM_BLOCK_HALF;
  q[3] = cos(yaw / 2);
  q[6] = sin(yaw / 2);
  mocap[0] = disc[0];
  mocap[1] = disc[1];
  memcpy(a->command, data_arm_home, sizeof a->command);
  set_servos(a, a->data->ctrl);
  memcpy(a->data->qpos, a->data->ctrl, (DATA_ARM_JOINTS + FINGERS) * sizeof *a->data->qpos);
  return data_mujoco_forward(a->model, a->data);
}

orr_code data_arm_step(data_arm *a, const float *action) {
  double from[DATA_ARM_JOINTS + FINGERS], to[DATA_ARM_JOINTS + FINGERS];
  memcpy(from, a->data->ctrl, sizeof from);
  data_arm_move(a->command, action, a->dt_s);
  set_servos(a, to);
  for (int s = 0; s < a->substeps; s++) {
    const double share = (double)(s + 1) / a->substeps;
    for (int i = 0; i < DATA_ARM_JOINTS + FINGERS; i++)
      a->data->ctrl[i] = from[i] + share * (to[i] - from[i]);
    for (int i = 0; i < DATA_ARM_JOINTS; i++) a->data->qfrc_applied[i] = a->data->qfrc_bias[i];
    ORR_TRY(data_mujoco_step("arm", a->model, a->data, 1));
  }
  return data_mujoco_forward(a->model, a->data);
}

// An angle as one of a square sees it.
static double of_square(double angle) {
  return angle - M_PI / 2 * floor(angle / (M_PI / 2) + 0.5);
}

void data_arm_state(const data_arm *a, float *state) {
  const double *tips = a->data->site_xpos + 3 * a->tips, *R = a->data->site_xmat + 9 * a->tips;
  const double *block = a->data->qpos + a->block_pos, *disc = a->data->mocap_pos + 3 * a->disc;
  for (int i = 0; i < 3; i++) state[i] = (float)tips[i];
  state[DATA_ARM_ROLL] = (float)atan2(R[7], R[8]);
  state[DATA_ARM_PITCH] = (float)-asin(fmax(-1, fmin(1, R[6])));
  state[DATA_ARM_YAW] = (float)atan2(R[3], R[0]);
  double fingers = 0;
  for (int i = 0; i < FINGERS; i++) fingers += a->data->qpos[DATA_ARM_JOINTS + i] / FINGERS;
  state[DATA_ARM_OPENING] =
      (float)((fingers - DATA_ARM_FINGER_LEAST) / (DATA_ARM_FINGER_MOST - DATA_ARM_FINGER_LEAST));
  for (int i = 0; i < 3; i++) state[DATA_ARM_BLOCK + i] = (float)block[i];
  const double w = block[3], x = block[4], y = block[5], z = block[6];
  state[DATA_ARM_BLOCK_YAW] = (float)of_square(atan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z)));
  for (int i = 0; i < 2; i++) state[DATA_ARM_DISC + i] = (float)disc[i];
}

static void aim(void *ctx, mjvGLCamera *camera, int height, int width) {
  const double at[3] = {DATA_ARM_SEEN_X, 0, DATA_ARM_SEEN_Z};
  const double forward[3] = {-cos(DATA_ARM_TILT), 0, -sin(DATA_ARM_TILT)};
  const double up[3] = {-sin(DATA_ARM_TILT), 0, cos(DATA_ARM_TILT)};
  data_canvas_parallel(camera, at, forward, up, DATA_ARM_SEEN_HALF);
}

orr_code data_arm_render(data_arm *a, uint8_t *rgb) {
  ORR_CHECK(a->canvas, ORR_EINVAL,
            "this arm scene was made without pictures; create it with a frame size");
  const int side = a->height;
  const data_canvas_view views[] = {
      {.w = side, .h = side, .camera = -1, .aim = aim},
      {.x = side, .w = side, .h = side, .camera = a->wrist},
  };
  mj_kinematics(a->model, a->data);
  mj_camlight(a->model, a->data);
  return data_canvas_draw(a->canvas, a->model, a->data, views, 2, rgb);
}
