// The rooms as a scene: their physics and pictures with somebody who walks through them.
#include "base/mem.h"
#include "data/sim/rooms_driver.h"
#include "data/sim/scene.h"
#include "data/sim/tabletop.h"

typedef struct {
  data_rooms *rooms;
  data_rooms_driver driver;
  double dt_s;
} rooms_scene;

static void destroy(void *scene) {
  rooms_scene *s = scene;
  if (!s) return;
  data_rooms_destroy(s->rooms);
  orr_free(s);
}

static orr_code create(const data_scene_setting *o, void **scene) {
  rooms_scene *s = orr_calloc(1, sizeof *s);
  ORR_CHECK(s, ORR_ENOMEM, "rooms scene: out of memory");
  s->dt_s = 1 / o->fps;
  orr_code rc = data_rooms_create(o->height, o->width, o->fps, &s->rooms);
  if (rc != ORR_OK) {
    destroy(s);
    return rc;
  }
  *scene = s;
  return ORR_OK;
}

static orr_code start(void *scene, uint64_t seed, uint64_t episode) {
  rooms_scene *s = scene;
  ORR_TRY(data_rooms_reset(s->rooms, seed, episode));
  data_rooms_driver_start(&s->driver, data_rooms_plan_of(s->rooms), seed, episode);
  return ORR_OK;
}

static void fork_driver(void *scene, uint64_t episode, int which) {
  data_rooms_driver_fork(&((rooms_scene *)scene)->driver, episode + ((uint64_t)which << 40));
}

static void state(const void *scene, float *out) {
  data_rooms_state(((const rooms_scene *)scene)->rooms, out);
}

static orr_code render(void *scene, uint8_t *rgb) {
  return data_rooms_render(((rooms_scene *)scene)->rooms, rgb);
}

static void act(void *scene, float *action) {
  rooms_scene *s = scene;
  float now[DATA_ROOMS_STATE];
  data_rooms_state(s->rooms, now);
  data_rooms_driver_act(&s->driver, now, s->dt_s, action);
}

static orr_code step(void *scene, const float *action) {
  return data_rooms_step(((rooms_scene *)scene)->rooms, action);
}

const data_scene data_scene_rooms = {
    .name = "rooms",
    .sentence = "walks through four rooms with doors, pictures and things to push; half come back",
    .source = "rooms scene, MuJoCo",
    .branch = "worlds",
    .height = 64,
    .width = 64,
    .fps = 10,
    .A = DATA_ROOMS_ACTIONS,
    .action_names = data_rooms_action_names,
    .action_units = data_rooms_action_units,
    .action_most = data_rooms_action_most,
    .Q = DATA_ROOMS_STATE,
    .state_names = data_rooms_state_names,
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
