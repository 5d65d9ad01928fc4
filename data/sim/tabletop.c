// The tabletop scene's physics: MuJoCo, for the interface of data/sim/tabletop.h.
#include "data/sim/tabletop.h"

#include <inttypes.h>
#include <math.h>

#include "base/mem.h"
#include "base/rng.h"
#include "data/sim/canvas.h"
#include "data/sim/tabletop_model.h"

#define TIMESTEP_MAX_S  0.005
#define START_RANGE     0.76 // m: starts lie within +-this
#define START_CLEARANCE 0.08 // m between outlines at the start
#define START_TRIES     10000
#define GEOMS           32 // shapes that are drawn, at most

// Addresses of an object's coordinates in MuJoCo's qpos and qvel.
typedef struct {
  int pos, vel;
} object_address;

struct data_tabletop {
  mjModel *model;
  mjData *data;
  data_canvas *canvas; // NULL: physics without pictures
  int height, width;
  int substeps;
  object_address address[DATA_TABLETOP_OBJECTS];
  unsigned touched;
};

// Where start states differ in what they draw: the position of the counter for each number.
typedef enum { DRAW_BOX_ANGLE = 0, DRAW_PLACES = 16 } start_draw;

#define RADIUS(name, r, g, b, radius, middle) radius,
static const double radii[] = {DATA_TABLETOP_OBJECT_ROWS(RADIUS)};

bool data_tabletop_available(void) {
  return true;
}

void data_tabletop_versions(orr_version_told *told, void *to) {
  told(to, "MuJoCo", mj_versionString());
}

orr_code data_tabletop_create(int64_t height, int64_t width, double fps, data_tabletop **out) {
  orr_code rc = ORR_OK;
  bool pictures = height != 0 || width != 0;
  ORR_CHECK(!pictures || (height >= 16 && width >= 16 && height <= 2048 && width <= 2048),
            ORR_EINVAL,
            "frame size %" PRId64 " x %" PRId64 ": each side must be from 16 to 2048 pixels",
            height, width);
  ORR_CHECK(fps >= 1 && fps <= 100, ORR_EINVAL, "%g frames a second: must be from 1 to 100", fps);
  data_tabletop *t = orr_calloc(1, sizeof *t);
  ORR_CHECK(t, ORR_ENOMEM, "out of memory for a tabletop scene");
  t->substeps = (int)ceil(1 / (fps * TIMESTEP_MAX_S) - 1e-9);
  ORR_TRY_GOTO(data_tabletop_compile(1 / (fps * t->substeps), &t->model), destroy);
  ORR_TRY_GOTO(data_mujoco_state(t->model, &t->data), destroy);
  for (int o = 0; o < DATA_TABLETOP_OBJECTS; o++) {
    int joint = t->model->body_jntadr[o + 1]; // body 0 is the table
    t->address[o] = (object_address){t->model->jnt_qposadr[joint], t->model->jnt_dofadr[joint]};
  }
  if (pictures)
    ORR_TRY_GOTO(data_canvas_create(t->model, height, width, GEOMS, &t->canvas), destroy);
  t->height = (int)height;
  t->width = (int)width;
  *out = t;
  return ORR_OK;
destroy:
  data_tabletop_destroy(t);
  return rc;
}

void data_tabletop_destroy(data_tabletop *t) {
  if (!t) return;
  data_canvas_destroy(t->canvas);
  mj_deleteData(t->data);
  mj_deleteModel(t->model);
  orr_free(t);
}

// The circle that holds an object whatever its angle.
static double reach(int object) {
  return object == DATA_TABLETOP_BOX ? radii[object] * sqrt(2.0) : radii[object];
}

static bool overlaps(const float *state, int object) {
  for (int o = 0; o < object; o++) {
    double dx = state[4 * o] - state[4 * object], dy = state[4 * o + 1] - state[4 * object + 1];
    if (hypot(dx, dy) < reach(o) + reach(object) + START_CLEARANCE) return true;
  }
  return false;
}

orr_code data_tabletop_reset(data_tabletop *t, uint64_t seed, uint64_t episode) {
  float state[DATA_TABLETOP_STATE] = {0};
  uint64_t position = DRAW_PLACES;
  for (int o = 0; o < DATA_TABLETOP_OBJECTS; o++) {
    do {
      ORR_CHECK(position < START_TRIES, ORR_EINVAL,
                "no start free of overlap for episode %" PRIu64 " of seed %" PRIu64
                " after %d draws; choose "
                "another seed",
                episode, seed, START_TRIES);
      for (int i = 0; i < 2; i++)
        state[4 * o + i] =
            (float)(START_RANGE *
                    (2 * orr_rng_uniform(seed, ORR_STREAM_SCENE, episode, position++) - 1));
    } while (overlaps(state, o));
  }
  state[DATA_TABLETOP_BOX_ANGLE] =
      (float)(M_PI * (2 * orr_rng_uniform(seed, ORR_STREAM_SCENE, episode, DRAW_BOX_ANGLE) - 1));
  return data_tabletop_place(t, state);
}

orr_code data_tabletop_place(data_tabletop *t, const float *state) {
  mj_resetData(t->model, t->data);
  t->touched = 0;
  for (int o = 0; o < DATA_TABLETOP_OBJECTS; o++) {
    for (int i = 0; i < 2; i++) {
      t->data->qpos[t->address[o].pos + i] = state[4 * o + i];
      t->data->qvel[t->address[o].vel + i] = state[4 * o + 2 + i];
    }
  }
  // The box's coordinates are x, y, z and the angle about z.
  t->data->qpos[t->address[DATA_TABLETOP_BOX].pos + 3] = state[DATA_TABLETOP_BOX_ANGLE];
  t->data->qvel[t->address[DATA_TABLETOP_BOX].vel + 3] = state[DATA_TABLETOP_BOX_SPIN];
  return data_mujoco_forward(t->model, t->data);
}

// Objects in contact with the puck, as bits.
static unsigned puck_contacts(const data_tabletop *t) {
  unsigned bits = 0;
  const int puck = DATA_TABLETOP_PUCK + 1; // as a body
  for (int c = 0; c < t->data->ncon; c++) {
    int a = t->model->geom_bodyid[t->data->contact[c].geom1];
    int b = t->model->geom_bodyid[t->data->contact[c].geom2];
    if (a == puck && b > 0) bits |= 1u << (b - 1);
    if (b == puck && a > 0) bits |= 1u << (a - 1);
  }
  return bits;
}

orr_code data_tabletop_step(data_tabletop *t, const float *action) {
  for (int i = 0; i < DATA_TABLETOP_ACTIONS; i++)
    t->data->ctrl[i] = DATA_TABLETOP_PUCK_SPEED * fmax(-1, fmin(1, action[i]));
  t->touched = 0;
  for (int i = 0; i < t->substeps; i++) {
    ORR_TRY(data_mujoco_step("tabletop", t->model, t->data, 1));
    t->touched |= puck_contacts(t);
  }
  return ORR_OK;
}

void data_tabletop_state(const data_tabletop *t, float *state) {
  for (int o = 0; o < DATA_TABLETOP_OBJECTS; o++) {
    for (int i = 0; i < 2; i++) {
      state[4 * o + i] = (float)t->data->qpos[t->address[o].pos + i];
      state[4 * o + 2 + i] = (float)t->data->qvel[t->address[o].vel + i];
    }
  }
  double angle = t->data->qpos[t->address[DATA_TABLETOP_BOX].pos + 3];
  state[DATA_TABLETOP_BOX_ANGLE] = (float)(angle - 2 * M_PI * floor((angle + M_PI) / (2 * M_PI)));
  state[DATA_TABLETOP_BOX_SPIN] = (float)t->data->qvel[t->address[DATA_TABLETOP_BOX].vel + 3];
}

unsigned data_tabletop_touched(const data_tabletop *t) {
  return t->touched;
}

// The camera looks from the side of small y, so that y grows upwards in the picture.
static void aim(void *ctx, mjvGLCamera *camera, int height, int width) {
  const double middle[3] = {0};
  const double forward[3] = {0, sin(DATA_TABLETOP_TILT), -cos(DATA_TABLETOP_TILT)};
  const double up[3] = {0, cos(DATA_TABLETOP_TILT), sin(DATA_TABLETOP_TILT)};
  data_canvas_parallel(camera, middle, forward, up,
                       DATA_TABLETOP_VIEW * height / (height < width ? height : width));
}

orr_code data_tabletop_render(data_tabletop *t, uint8_t *rgb) {
  ORR_CHECK(t->canvas, ORR_EINVAL,
            "this tabletop scene was made without pictures; create it with a frame size");
  // A step ends with new positions; what is drawn follows from them only after the kinematics.
  mj_kinematics(t->model, t->data);
  mj_camlight(t->model, t->data);
  const data_canvas_view all = {.w = t->width, .h = t->height, .camera = -1, .aim = aim};
  return data_canvas_draw(t->canvas, t->model, t->data, &all, 1, rgb);
}
