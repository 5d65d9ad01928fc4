// The arm as a scene: its physics and pictures with somebody of some skill who acts.
#include "base/mem.h"
#include "data/sim/arm.h"
#include "data/sim/scene.h"
#include "data/sim/tabletop.h"

typedef struct {
  data_arm *arm;
  int task;
  bool mixed; // who acts is drawn for each episode
  data_skill skill;
  data_skill_actor actor;
  uint64_t seed;
} arm_scene;

static void destroy(void *scene) {
  arm_scene *s = scene;
  if (!s) return;
  data_arm_destroy(s->arm);
  orr_free(s);
}

static orr_code create(const data_scene_setting *o, void **scene) {
  arm_scene *s = orr_calloc(1, sizeof *s);
  ORR_CHECK(s, ORR_ENOMEM, "arm scene: out of memory");
  s->task = o->task;
  s->mixed = !o->skill;
  if (o->skill) s->skill = *o->skill;
  orr_code rc = data_arm_create(o->height, o->width, o->fps, &s->arm);
  if (rc != ORR_OK) {
    destroy(s);
    return rc;
  }
  *scene = s;
  return ORR_OK;
}

static void begin(arm_scene *s, uint64_t seed, uint64_t episode) {
  const data_skill drawn = data_skill_of_episode(seed, episode);
  data_skill_begin(&s->actor, s->mixed ? &drawn : &s->skill, DATA_ARM_ACTIONS, seed, episode);
  s->seed = seed;
}

static orr_code start(void *scene, uint64_t seed, uint64_t episode) {
  arm_scene *s = scene;
  begin(s, seed, episode);
  return data_arm_reset(s->arm, seed, episode);
}

// Two people of two skills go on from here.
static void fork_actor(void *scene, uint64_t episode, int which) {
  arm_scene *s = scene;
  begin(s, s->seed, episode + ((uint64_t)which << 40));
}

static void state(const void *scene, float *out) {
  data_arm_state(((const arm_scene *)scene)->arm, out);
}

static orr_code render(void *scene, uint8_t *rgb) {
  return data_arm_render(((arm_scene *)scene)->arm, rgb);
}

static void act(void *scene, float *action) {
  arm_scene *s = scene;
  float now[DATA_ARM_STATE];
  data_arm_state(s->arm, now);
  data_arm_goals.expert(s->task, now, action);
  data_skill_act(&s->actor, action);
}

static orr_code step(void *scene, const float *action) {
  return data_arm_step(((arm_scene *)scene)->arm, action);
}

static void views(int64_t height, int64_t width, data_views *out) {
  *out = (data_views){.n = 2,
                      .of = {{"base", 0, 0, height, height}, {"wrist", height, 0, height, height}}};
}

const data_scene data_scene_arm = {
    .name = "arm",
    .sentence = "an arm with a gripper on a table, base and wrist view side by side",
    .source = "arm scene, MuJoCo",
    .branch = "robotics",
    .height = 64,
    .width = 128,
    .fps = 10,
    .A = DATA_ARM_ACTIONS,
    .action_names = data_arm_action_names,
    .action_units = data_arm_action_units,
    .action_most = data_arm_action_most,
    .Q = DATA_ARM_STATE,
    .state_names = data_arm_state_names,
    .goals = &data_arm_goals,
    .tries = true,
    .available = data_tabletop_available,
    .create = create,
    .destroy = destroy,
    .start = start,
    .fork = fork_actor,
    .state = state,
    .render = render,
    .act = act,
    .step = step,
    .views = views,
};
