// The world's clockwork: what MuJoCo does not do by itself is done between two of its steps.
#include "data/sim/physics_play.h"

#include <inttypes.h>
#include <math.h>

#include "base/mem.h"
#include "data/sim/canvas.h"
#include "data/sim/physics_model.h"

#define TIMESTEP_MAX_S 0.002
#define RISES_S        0.05 // the screen, from here
#define RISEN_S        0.30 // to here
#define SINKS_S        0.05 // after the event, where it does
#define SUNK_S         0.35
#define HOOK_SPEED     3.0      // m/s, upwards
enum { GEOMS = 40, FIRST = 3 }; // body of thing 0

struct data_physics_play {
  data_physics_stage s;
  mjModel *model;
  mjData *data;
  int substeps;
  double step_s;
  int64_t done; // steps of step_s
};

struct data_physics_view {
  int64_t height, width;
  data_canvas *canvas; // NULL until the first world is drawn
};

bool data_physics_available(void) {
  return true;
}

// -- pictures -------------------------------------------------------------------------------

orr_code data_physics_view_create(int64_t height, int64_t width, data_physics_view **out) {
  ORR_CHECK(height >= 16 && width >= 16 && height <= 2048 && width <= 2048, ORR_EINVAL,
            "frame size %" PRId64 " x %" PRId64 ": each side must be from 16 to 2048 pixels",
            height, width);
  data_physics_view *v = orr_calloc(1, sizeof *v);
  ORR_CHECK(v, ORR_ENOMEM, "out of memory for the physics scene's view");
  *v = (data_physics_view){.height = height, .width = width};
  *out = v;
  return ORR_OK;
}

void data_physics_view_destroy(data_physics_view *v) {
  if (!v) return;
  data_canvas_destroy(v->canvas);
  orr_free(v);
}

static double tilt_of(const data_physics_play *p) {
  return p->s.oblique ? DATA_PHYSICS_TILT : 0.0;
}

static void aim(void *ctx, mjvGLCamera *camera, int h, int w) {
  const double tilt = tilt_of(ctx), at[3] = {0, 0, DATA_PHYSICS_LEVEL},
               forward[3] = {0, cos(tilt), -sin(tilt)}, up[3] = {0, sin(tilt), cos(tilt)};
  data_canvas_parallel(camera, at, forward, up, DATA_PHYSICS_VIEW * h / (h < w ? h : w));
}

orr_code data_physics_play_draw(data_physics_play *p, data_physics_view *v, uint8_t *rgb) {
  if (!v->canvas) ORR_TRY(data_canvas_create(p->model, v->height, v->width, GEOMS, &v->canvas));
  // A step ends with new positions; what is drawn follows from them only after the kinematics.
  mj_kinematics(p->model, p->data);
  mj_camlight(p->model, p->data);
  const data_canvas_view view = {
      .w = (int)v->width, .h = (int)v->height, .camera = -1, .aim = aim, .ctx = p};
  return data_canvas_draw(v->canvas, p->model, p->data, &view, 1, rgb);
}

// -- by hand --------------------------------------------------------------------------------

static double now(const data_physics_play *p) {
  return (double)p->done * p->step_s;
}

static double share(double t, double from, double to) {
  return fmin(1, fmax(0, (t - from) / (to - from)));
}

// The screen's top hides what stands below screen_top in the plane of things, whoever looks.
static void place_screen(data_physics_play *p) {
  const data_physics_stage *s = &p->s;
  const double t = now(p), up = share(t, RISES_S, RISEN_S),
               down = s->reveals ? share(t, s->event_s + SINKS_S, s->event_s + SUNK_S) : 0,
               top = s->screen_top - DATA_PHYSICS_SCREEN_Y * tan(tilt_of(p));
  const double at = DATA_PHYSICS_SCREEN_SUNK + (top - DATA_PHYSICS_SCREEN_SUNK) * (up - down);
  p->data->mocap_pos[2] = s->screen ? at - 0.5 * DATA_PHYSICS_SCREEN_TALL : -9.0;
}

static void place_hook(data_physics_play *p) {
  const data_physics_stage *s = &p->s;
  const double since = fmax(0, now(p) - s->event_s);
  p->data->mocap_pos[3 + 2] =
      s->held ? s->thing[0].z + s->thing[0].half[1] + 1.0 + HOOK_SPEED * since : 9.0;
}

typedef struct {
  int pos, vel, joints;
} address;

static address address_of(const data_physics_play *p, int i) {
  const int joint = p->model->body_jntadr[FIRST + i];
  return (address){p->model->jnt_qposadr[joint], p->model->jnt_dofadr[joint],
                   p->model->body_jntnum[FIRST + i]};
}

// What is held stays where it is, and what is to halt does.
static void hold(data_physics_play *p) {
  const bool before = now(p) < p->s.event_s - 0.5 * p->step_s;
  if (p->s.held && before) {
    const address a = address_of(p, 0);
    for (int i = 0; i < a.joints; i++) p->data->qpos[a.pos + i] = p->data->qvel[a.vel + i] = 0;
  }
  // it has struck what it reaches a moment later
  for (int i = p->s.stops; i >= 0 && i < p->s.things && now(p) > p->s.event_s + 0.04; i++)
    p->data->qvel[address_of(p, i).vel] = 0;
}

static void brake(data_physics_play *p) {
  for (int i = 0; i < p->s.things; i++) {
    const address a = address_of(p, i);
    const double x = p->s.thing[i].x + p->data->qpos[a.pos];
    double loss = 0;
    for (int k = 0; k < p->s.props; k++)
      if (fabs(x - p->s.prop[k].x) < p->s.prop[k].half[0])
        loss = p->s.prop[k].brake * p->s.thing[i].mass;
    p->model->dof_frictionloss[a.vel] = loss;
  }
}

static orr_code advance(data_physics_play *p) {
  hold(p);
  brake(p);
  ORR_TRY(data_mujoco_step("physics", p->model, p->data, 1));
  p->done++;
  hold(p);
  place_screen(p);
  place_hook(p);
  return ORR_OK;
}

// -- life -----------------------------------------------------------------------------------

static orr_code begin(data_physics_play *p) {
  ORR_TRY(data_physics_compile(&p->s, p->step_s, &p->model));
  ORR_TRY(data_mujoco_state(p->model, &p->data));
  for (int i = 0; i < p->s.things; i++) {
    const address a = address_of(p, i);
    p->data->qvel[a.vel] = p->s.thing[i].vx;
    p->data->qvel[a.vel + 1] = p->s.thing[i].vz;
  }
  place_screen(p);
  place_hook(p);
  return data_mujoco_forward(p->model, p->data);
}

orr_code data_physics_play_create(const data_physics_stage *s, double fps,
                                  data_physics_play **out) {
  ORR_CHECK(fps >= 1 && fps <= 100, ORR_EINVAL, "%g frames a second: must be from 1 to 100", fps);
  data_physics_play *p = orr_calloc(1, sizeof *p);
  ORR_CHECK(p, ORR_ENOMEM, "out of memory for a world of the physics scene");
  p->s = *s;
  p->substeps = (int)ceil(1 / (fps * TIMESTEP_MAX_S) - 1e-9);
  p->step_s = 1 / (fps * p->substeps);
  const orr_code rc = begin(p);
  if (rc != ORR_OK) {
    data_physics_play_destroy(p);
    return rc;
  }
  *out = p;
  return ORR_OK;
}

void data_physics_play_destroy(data_physics_play *p) {
  if (!p) return;
  mj_deleteData(p->data);
  mj_deleteModel(p->model);
  orr_free(p);
}

orr_code data_physics_play_step(data_physics_play *p, const float *action) {
  const address a = p->s.things > 0 ? address_of(p, 0) : (address){0};
  for (int i = 0; i < DATA_PHYSICS_ACTIONS && p->s.things > 0; i++)
    p->data->qfrc_applied[a.vel + i] =
        DATA_PHYSICS_PUSH * p->s.thing[0].mass * fmax(-1, fmin(1, action[i]));
  for (int i = 0; i < p->substeps; i++) ORR_TRY(advance(p));
  return ORR_OK;
}

void data_physics_play_state(const data_physics_play *p, float *state) {
  for (int i = 0; i < DATA_PHYSICS_THINGS; i++) {
    float *to = state + DATA_PHYSICS_OF * i;
    for (int k = 0; k < DATA_PHYSICS_OF; k++) to[k] = k == DATA_PHYSICS_COLOUR ? -1.0f : 0.0f;
    if (i >= p->s.things) continue;
    const data_physics_thing *t = &p->s.thing[i];
    const address a = address_of(p, i);
    to[DATA_PHYSICS_X] = (float)(t->x + p->data->qpos[a.pos]);
    to[DATA_PHYSICS_Z] = (float)(t->z + p->data->qpos[a.pos + 1]);
    to[DATA_PHYSICS_VX] = (float)p->data->qvel[a.vel];
    to[DATA_PHYSICS_VZ] = (float)p->data->qvel[a.vel + 1];
    to[DATA_PHYSICS_ANGLE] = t->turns ? (float)p->data->qpos[a.pos + 2] : 0.0f;
    to[DATA_PHYSICS_MASS] = (float)t->mass;
    to[DATA_PHYSICS_SIZE] = (float)t->half[1];
    to[DATA_PHYSICS_COLOUR] = (float)t->colour;
  }
}
