// The physics scene: worlds of the choice's concepts, their pasts and futures, in groups.
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "data/sim/physics_play.h"
#include "data/sim/scene.h"

#define PUSHED     0.4 // share of the episodes in which thing 0 is pushed
#define CHANGED_AT 3 // frame at which two actions part, unless thing 0 hangs on a hook until later

// Positions of the counter for what an episode alone draws; below are the group's.
enum { DRAW_PAST = 4096, DRAW_PUSHED, DRAW_PUSH_FRAME, DRAW_PUSH_WAY };

typedef struct {
  double fps;
  data_physics_choice choice;
  data_physics_view *view; // NULL: worlds without pictures
  data_physics_play *play;
  data_physics_draw draw;
  uint64_t seed, episode, group;
  int past, future; // 0 = a, 1 = b
  data_physics_change change;
  int64_t frame, event;
  bool second; // of the two that a change tells apart
} physics_scene;

static void destroy(void *scene) {
  physics_scene *s = scene;
  if (!s) return;
  data_physics_play_destroy(s->play);
  data_physics_view_destroy(s->view);
  orr_free(s);
}

static orr_code create(const data_scene_setting *o, void **scene) {
  static const data_physics_choice usual = {.concept = DATA_PHYSICS_ALL};
  physics_scene *s = orr_calloc(1, sizeof *s);
  ORR_CHECK(s, ORR_ENOMEM, "physics scene: out of memory");
  s->fps = o->fps;
  s->choice = o->choice ? *(const data_physics_choice *)o->choice : usual;
  const orr_code rc =
      o->height || o->width ? data_physics_view_create(o->height, o->width, &s->view) : ORR_OK;
  if (rc != ORR_OK) {
    destroy(s);
    return rc;
  }
  *scene = s;
  return ORR_OK;
}

static double uniform(const physics_scene *s, uint64_t position) {
  return orr_rng_uniform(s->seed, ORR_STREAM_SCENE, s->group, position);
}

static orr_code build(physics_scene *s, int past) {
  data_physics_stage stage;
  data_physics_stage_of(&s->draw, past, &stage);
  if (s->second) data_physics_stage_change(&stage, s->change);
  data_physics_play_destroy(s->play);
  s->play = NULL;
  return data_physics_play_create(&stage, s->fps, &s->play);
}

// Which of its group an episode is.
static void take_part(physics_scene *s) {
  const data_physics_choice *c = &s->choice;
  const int number = (int)(s->episode % (uint64_t)data_physics_group(c));
  const uint64_t kinds = DATA_PHYSICS_CHANGES - 1, turn = c->concept == DATA_PHYSICS_ALL
                                                              ? s->group / DATA_PHYSICS_CONCEPTS
                                                              : s->group;
  s->past = c->pairs ? number / 2 : uniform(s, DRAW_PAST) < 0.5;
  s->future = c->pairs && number % 2 ? 1 - s->past : s->past;
  s->second = c->change != DATA_PHYSICS_CHANGE_none && number == 1;
  s->change =
      c->change == DATA_PHYSICS_CHANGE_ALL ? (data_physics_change)(1 + turn % kinds) : c->change;
  s->event = data_physics_event(s->fps);
  if (s->change == DATA_PHYSICS_CHANGE_action && s->draw.concept != DATA_PHYSICS_CONCEPT_support)
    s->event = CHANGED_AT;
}

static orr_code start(void *scene, uint64_t seed, uint64_t episode) {
  physics_scene *s = scene;
  s->seed = seed;
  s->episode = episode;
  s->group = episode / (uint64_t)data_physics_group(&s->choice);
  s->frame = 0;
  data_physics_draw_group(&s->choice, seed, s->group, &s->draw);
  take_part(s);
  return build(s, s->past);
}

static void state(const void *scene, float *out) {
  const physics_scene *s = scene;
  data_physics_play_state(s->play, out);
  out[DATA_PHYSICS_IS_CONCEPT] = (float)s->draw.concept;
  out[DATA_PHYSICS_IS_VARIANT] = (float)s->draw.variant;
  out[DATA_PHYSICS_IS_OBLIQUE] = s->draw.oblique;
  out[DATA_PHYSICS_IS_EVENT] = (float)s->event;
  out[DATA_PHYSICS_IS_POSSIBLE] = s->past == s->future;
  out[DATA_PHYSICS_IS_PAST] = (float)s->past;
  out[DATA_PHYSICS_IS_CHANGE] = (float)s->change;
}

static orr_code render(void *scene, uint8_t *rgb) {
  physics_scene *s = scene;
  ORR_CHECK(s->view, ORR_EINVAL,
            "this physics scene was made without pictures; create it with a "
            "frame size");
  return data_physics_play_draw(s->play, s->view, rgb);
}

// One push in some of the episodes; of a change by action one in either, opposite to each other.
static void act(void *scene, float *action) {
  const physics_scene *s = scene;
  action[0] = action[1] = 0.0f;
  if (s->choice.pairs) return;
  const double way = 2 * 3.14159265358979323846 * uniform(s, DRAW_PUSH_WAY);
  if (s->choice.change != DATA_PHYSICS_CHANGE_none) {
    if (s->change == DATA_PHYSICS_CHANGE_action && s->frame == s->event)
      action[0] = (uniform(s, DRAW_PUSHED) < 0.5) == s->second ? 0.8f : -0.8f;
    return;
  }
  const int64_t last = (int64_t)lround(1.3 * s->fps);
  if (uniform(s, DRAW_PUSHED) >= PUSHED ||
      s->frame != (int64_t)(uniform(s, DRAW_PUSH_FRAME) * (double)last))
    return;
  action[0] = (float)cos(way);
  action[1] = (float)fabs(sin(way));
}

// After the event comes the future that the episode is to have: of the other past, where that is
// the impossible one.
static orr_code step(void *scene, const float *action) {
  physics_scene *s = scene;
  static const float none[DATA_PHYSICS_ACTIONS];
  if (s->frame == s->event && s->past != s->future) {
    ORR_TRY(build(s, s->future));
    for (int64_t t = 0; t < s->event; t++) ORR_TRY(data_physics_play_step(s->play, none));
  }
  s->frame++;
  return data_physics_play_step(s->play, action);
}

const data_scene data_scene_physics = {
    .name = "physics",
    .sentence = "what causes what: motion, collision, permanence, ... (docs/exam.md)",
    .source = "physics scene, MuJoCo",
    .branch = "worlds",
    .height = 64,
    .width = 64,
    .fps = 10,
    .A = DATA_PHYSICS_ACTIONS,
    .action_names = data_physics_action_names,
    .Q = DATA_PHYSICS_STATE,
    .state_names = data_physics_state_names,
    .available = data_physics_available,
    .create = create,
    .destroy = destroy,
    .start = start,
    .state = state,
    .render = render,
    .act = act,
    .step = step,
};
