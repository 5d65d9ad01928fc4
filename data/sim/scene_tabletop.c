// The tabletop as a scene: its physics and pictures with the driver that moves the puck.
#include "base/mem.h"
#include "data/sim/scene.h"
#include "data/sim/tabletop.h"
#include "data/sim/tabletop_driver.h"

typedef struct {
  data_tabletop *table;
  data_tabletop_driver driver;
} tabletop_scene;

static void destroy(void *scene) {
  tabletop_scene *s = scene;
  if (!s) return;
  data_tabletop_destroy(s->table);
  orr_free(s);
}

static orr_code create(const data_scene_setting *o, void **scene) {
  tabletop_scene *s = orr_calloc(1, sizeof *s);
  ORR_CHECK(s, ORR_ENOMEM, "tabletop scene: out of memory");
  orr_code rc = data_tabletop_create(o->height, o->width, o->fps, &s->table);
  if (rc != ORR_OK) {
    destroy(s);
    return rc;
  }
  *scene = s;
  return ORR_OK;
}

static orr_code start(void *scene, uint64_t seed, uint64_t episode) {
  tabletop_scene *s = scene;
  data_tabletop_driver_start(&s->driver, seed, episode);
  return data_tabletop_reset(s->table, seed, episode);
}

static void state(const void *scene, float *out) {
  data_tabletop_state(((const tabletop_scene *)scene)->table, out);
}

static void fork_driver(void *scene, uint64_t episode, int which) {
  float now[DATA_TABLETOP_STATE];
  state(scene, now);
  data_tabletop_driver_fork(&((tabletop_scene *)scene)->driver, episode, which == 1, now);
}

static orr_code render(void *scene, uint8_t *rgb) {
  return data_tabletop_render(((tabletop_scene *)scene)->table, rgb);
}

static void act(void *scene, float *action) {
  float now[DATA_TABLETOP_STATE];
  state(scene, now);
  data_tabletop_driver_act(&((tabletop_scene *)scene)->driver, now, action);
}

static orr_code step(void *scene, const float *action) {
  return data_tabletop_step(((tabletop_scene *)scene)->table, action);
}

const data_scene data_scene_tabletop = {
    .name = "tabletop",
    .sentence = "a puck pushes three things about on a walled table",
    .source = "tabletop scene, MuJoCo",
    .branch = "worlds",
    .height = 64,
    .width = 64,
    .fps = 10,
    .A = DATA_TABLETOP_ACTIONS,
    .action_names = data_tabletop_action_names,
    .action_units = data_tabletop_action_units,
    .action_most = data_tabletop_action_most,
    .Q = DATA_TABLETOP_STATE,
    .state_names = data_tabletop_state_names,
    .goals = &data_tabletop_goals,
    .available = data_tabletop_available,
    .create = create,
    .destroy = destroy,
    .start = start,
    .fork = fork_driver,
    .state = state,
    .render = render,
    .act = act,
    .step = step,
};
