// CoinRun as a scene: procgen's game in the user's copy of its library, which plays in a process
// without rights (data/sim/libenv.h). A function of (seed, episode, levels) and the library's
// bytes.
#include <stdlib.h>
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "data/sim/coinrun.h"
#include "data/sim/coinrun_wheel.h"
#include "data/sim/libenv.h"
#include "data/sim/scene.h"

typedef struct {
  data_libenv *game;
  data_scene_setting setting;
  orr_path library, assets;
  data_coinrun_driver driver;
  data_libenv_outcome outcome;
} coinrun_scene;

static bool available(void) {
  return true;
}

static void destroy(void *scene) {
  coinrun_scene *s = scene;
  if (!s) return;
  data_libenv_destroy(s->game);
  orr_free(s);
}

static orr_code check_setting(const data_scene_setting *o) {
  ORR_CHECK(o->library, ORR_ECONFIG,
            "scene coinrun plays in a library of somebody else: give --library PATH/libenv.so, of "
            "PyPI's procgen2 (docs/coinrun.md)");
  ORR_CHECK(o->height == DATA_COINRUN_SIDE && o->width == DATA_COINRUN_SIDE, ORR_ECONFIG,
            "scene coinrun draws %d x %d frames, got --size %dx%d", DATA_COINRUN_SIDE,
            DATA_COINRUN_SIDE, (int)o->height, (int)o->width);
  ORR_CHECK(o->level_first >= 0 && o->level_first < o->level_end && o->level_end <= INT32_MAX,
            ORR_ECONFIG, "levels %lld:%lld: wanted FIRST:END, 0 <= FIRST < END",
            (long long)o->level_first, (long long)o->level_end);
  return ORR_OK;
}

static orr_code open_game(coinrun_scene *s) {
  const data_scene_setting *o = &s->setting;
  ORR_TRY(check_setting(o));
  ORR_CHECK(realpath(o->library, s->library), ORR_ENOTFOUND, "--library %s: %s", o->library,
            strerror(errno));
  if (!o->assets) ORR_TRY(data_coinrun_wheel_assets(s->library, s->assets));
  if (o->assets)
    ORR_CHECK(realpath(o->assets, s->assets), ORR_ENOTFOUND, "--assets %s: %s", o->assets,
              strerror(errno));
  ORR_TRY(data_coinrun_wheel_check(s->library, o->library_sha256));
  return data_libenv_create(&(data_libenv_options){.library = s->library,
                                                   .assets = s->assets,
                                                   .game = "coinrun",
                                                   .side = DATA_COINRUN_SIDE,
                                                   .actions = DATA_COINRUN_ACTIONS,
                                                   .easy = o->easy,
                                                   .patience_s = o->patience_s},
                            &s->game);
}

static orr_code create(const data_scene_setting *o, void **scene) {
  coinrun_scene *s = orr_calloc(1, sizeof *s);
  ORR_CHECK(s, ORR_ENOMEM, "coinrun scene: out of memory");
  s->setting = *o;
  const orr_code rc = open_game(s);
  if (rc == ORR_OK)
    *scene = s;
  else
    destroy(s);
  return rc;
}

static orr_code start(void *scene, uint64_t seed, uint64_t episode) {
  coinrun_scene *s = scene;
  int32_t level = 0;
  data_coinrun_driver_start(&s->driver, seed, episode, s->setting.level_first, s->setting.level_end,
                            &level);
  s->outcome = (data_libenv_outcome){0};
  return data_libenv_begin(s->game, level);
}

static orr_code render(void *scene, uint8_t *rgb) {
  memcpy(rgb, data_libenv_frame(((coinrun_scene *)scene)->game),
         DATA_COINRUN_SIDE * DATA_COINRUN_SIDE * 3);
  return ORR_OK;
}

static void act(void *scene, float *action) {
  data_coinrun_press(data_coinrun_driver_act(&((coinrun_scene *)scene)->driver), action);
}

static orr_code step(void *scene, const float *action) {
  coinrun_scene *s = scene;
  return data_libenv_act(s->game, data_coinrun_action(action), &s->outcome);
}

static void outcome(const void *scene, float *reward, bool *over) {
  const coinrun_scene *s = scene;
  *reward = s->outcome.reward;
  *over = s->outcome.over;
}

const data_scene data_scene_coinrun = {
    .name = "coinrun",
    .sentence = "a figure runs and jumps through drawn levels; needs --library (docs/coinrun.md)",
    .source = "CoinRun of procgen",
    .branch = "worlds",
    .height = DATA_COINRUN_SIDE,
    .width = DATA_COINRUN_SIDE,
    .foreign = true,
    .fps = 15,
    .A = DATA_COINRUN_BUTTONS,
    .action_names = data_coinrun_button_names,
    .available = available,
    .create = create,
    .destroy = destroy,
    .start = start,
    .render = render,
    .act = act,
    .step = step,
    .outcome = outcome,
};
