// The rooms scene's physics: MuJoCo, for the interface of data/sim/rooms.h. Whoever walks is a ball
// on two slides that is driven by its velocity; where it looks needs no physics.
#include "data/sim/rooms.h"

#include <inttypes.h>
#include <math.h>

#include "base/mem.h"
#include "data/sim/canvas.h"
#include "data/sim/rooms_model.h"

#define TIMESTEP_MAX_S 0.005
#define NEAR           0.05 // m, what is nearer is not seen
#define FAR            20.0
enum { GEOMS = 160 };

struct data_rooms {
  mjModel *model;
  mjData *data;
  data_canvas *canvas; // NULL: physics without pictures
  int height, width, substeps;
  double dt_s, yaw, pitch;
  int walker;                   // its first coordinate
  int thing[DATA_ROOMS_THINGS]; // likewise
  data_rooms_plan plan;
};

static orr_code find_all(data_rooms *r) {
  int id = 0;
  ORR_TRY(data_mujoco_find(r->model, mjOBJ_JOINT, "x", &id));
  r->walker = r->model->jnt_qposadr[id];
  for (int i = 0; i < DATA_ROOMS_THINGS; i++) {
    const char name[] = {'t', 'h', 'i', 'n', 'g', (char)('0' + i), 0};
    ORR_TRY(data_mujoco_find(r->model, mjOBJ_BODY, name, &id));
    r->thing[i] = r->model->jnt_qposadr[r->model->body_jntadr[id]];
  }
  return ORR_OK;
}

orr_code data_rooms_create(int64_t height, int64_t width, double fps, data_rooms **out) {
  orr_code rc = ORR_OK;
  const bool pictures = height != 0 || width != 0;
  ORR_CHECK(!pictures || (height >= 16 && width >= 16 && height <= 2048 && width <= 2048),
            ORR_EINVAL,
            "frame size %" PRId64 " x %" PRId64 ": each side must be from 16 to 2048 pixels",
            height, width);
  ORR_CHECK(fps >= 1 && fps <= 100, ORR_EINVAL, "%g frames a second: must be from 1 to 100", fps);
  data_rooms *r = orr_calloc(1, sizeof *r);
  ORR_CHECK(r, ORR_ENOMEM, "out of memory for a rooms scene");
  r->height = (int)height;
  r->width = (int)width;
  r->dt_s = 1 / fps;
  r->substeps = (int)ceil(1 / (fps * TIMESTEP_MAX_S) - 1e-9);
  ORR_TRY_GOTO(data_rooms_compile(1 / (fps * r->substeps), &r->model), destroy);
  ORR_TRY_GOTO(data_mujoco_state(r->model, &r->data), destroy);
  ORR_TRY_GOTO(find_all(r), destroy);
  if (pictures)
    ORR_TRY_GOTO(data_canvas_create(r->model, height, width, GEOMS, &r->canvas), destroy);
  *out = r;
  return ORR_OK;
destroy:
  data_rooms_destroy(r);
  return rc;
}

void data_rooms_destroy(data_rooms *r) {
  if (!r) return;
  data_canvas_destroy(r->canvas);
  mj_deleteData(r->data);
  mj_deleteModel(r->model);
  orr_free(r);
}

const data_rooms_plan *data_rooms_plan_of(const data_rooms *r) {
  return &r->plan;
}

orr_code data_rooms_reset(data_rooms *r, uint64_t seed, uint64_t episode) {
  data_rooms_plan_draw(seed, episode, &r->plan);
  data_rooms_furnish(r->model, &r->plan);
  mj_resetData(r->model, r->data);
  for (int i = 0; i < DATA_ROOMS_THINGS; i++)
    for (int k = 0; k < 2; k++) r->data->qpos[r->thing[i] + k] = r->plan.place[i][k];
  for (int k = 0; k < 2; k++) r->data->qpos[r->walker + k] = r->plan.start[k];
  r->yaw = r->plan.start[2];
  r->pitch = 0;
  return data_mujoco_forward(r->model, r->data);
}

static double within(double v, double most) {
  return fmax(-most, fmin(most, v));
}

// Turned first, half of it, so that a step's way is a chord of its curve.
orr_code data_rooms_step(data_rooms *r, const float *action) {
  double a[DATA_ROOMS_ACTIONS];
  for (int i = 0; i < DATA_ROOMS_ACTIONS; i++)
    a[i] = within(action[i], 1) * data_rooms_action_most[i];
  const double heading = r->yaw + a[DATA_ROOMS_TURN] * r->dt_s / 2;
  r->data->ctrl[0] = a[DATA_ROOMS_FORWARD] * cos(heading) - a[DATA_ROOMS_STRAFE] * sin(heading);
  r->data->ctrl[1] = a[DATA_ROOMS_FORWARD] * sin(heading) + a[DATA_ROOMS_STRAFE] * cos(heading);
  ORR_TRY(data_mujoco_step("rooms", r->model, r->data, r->substeps));
  r->yaw += a[DATA_ROOMS_TURN] * r->dt_s;
  r->pitch = within(r->pitch + a[DATA_ROOMS_LOOK] * r->dt_s, DATA_ROOMS_PITCHED);
  return ORR_OK;
}

void data_rooms_state(const data_rooms *r, float *state) {
  for (int k = 0; k < 2; k++) state[k] = (float)r->data->qpos[r->walker + k];
  state[DATA_ROOMS_YAW] = (float)(r->yaw - 2 * M_PI * floor((r->yaw + M_PI) / (2 * M_PI)));
  state[DATA_ROOMS_PITCH] = (float)r->pitch;
  for (int i = 0; i < DATA_ROOMS_THINGS; i++)
    for (int k = 0; k < 2; k++)
      state[DATA_ROOMS_THING + 2 * i + k] = (float)r->data->qpos[r->thing[i] + k];
}

static void aim(void *ctx, mjvGLCamera *camera, int height, int width) {
  const data_rooms *r = ctx;
  const double cy = cos(r->yaw), sy = sin(r->yaw), cp = cos(r->pitch), sp = sin(r->pitch);
  const double forward[3] = {cy * cp, sy * cp, sp}, up[3] = {-cy * sp, -sy * sp, cp};
  const double at[3] = {r->data->qpos[r->walker], r->data->qpos[r->walker + 1], DATA_ROOMS_EYE};
  for (int i = 0; i < 3; i++) {
    camera->pos[i] = (float)at[i];
    camera->forward[i] = (float)forward[i];
    camera->up[i] = (float)up[i];
  }
  camera->frustum_center = 0;
  camera->frustum_top = (float)(NEAR * tan(DATA_ROOMS_LENS / 2));
  camera->frustum_bottom = -camera->frustum_top;
  camera->frustum_near = (float)NEAR;
  camera->frustum_far = (float)FAR;
}

orr_code data_rooms_render(data_rooms *r, uint8_t *rgb) {
  ORR_CHECK(r->canvas, ORR_EINVAL,
            "this rooms scene was made without pictures; create it with a frame size");
  const data_canvas_view all = {.w = r->width, .h = r->height, .camera = -1, .aim = aim, .ctx = r};
  mj_kinematics(r->model, r->data);
  mj_camlight(r->model, r->data);
  return data_canvas_draw(r->canvas, r->model, r->data, &all, 1, rgb);
}
