#include "train/exam/set.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "data/set/index.h"
#include "data/sim/generate.h"
#include "train/infer/episodes.h"

#define FPS 10.0
enum { SHARD_FRAMES = 1024 };

#define NAME(name) #name,
static const char *const kind_names[] = {TRAIN_EXAM_KINDS(NAME)};
#undef NAME

static int64_t frames_of(const train_exam_wish *w) {
  return w->kind == TRAIN_EXAM_long ? data_physics_event(FPS) + 1 + TRAIN_EXAM_AHEAD
                                    : TRAIN_EXAM_FRAMES;
}

data_physics_choice train_exam_choice(const train_exam_wish *w) {
  const bool changes = w->kind == TRAIN_EXAM_changes;
  return (data_physics_choice){.concept = w->concept,
                               .range = w->range,
                               .pairs = !changes && w->kind != TRAIN_EXAM_long,
                               .change =
                                   changes ? DATA_PHYSICS_CHANGE_ALL : DATA_PHYSICS_CHANGE_none,
                               .link = w->kind == TRAIN_EXAM_agree  ? DATA_PHYSICS_LINK_agree
                                       : w->kind == TRAIN_EXAM_flip ? DATA_PHYSICS_LINK_flip
                                                                    : DATA_PHYSICS_LINK_none};
}

// What a set holds is in its name: a folder of that name is that set.
static orr_code folder_of(const train_exam_wish *w, orr_path path) {
  char name[160];
  snprintf(name, sizeof name, "%s-%s-%s-%" PRId64 "-%" PRId64 "x%" PRId64 "-seed-%" PRIu64 "-%.40s",
           data_physics_concept_names[w->concept], data_physics_range_names[w->range],
           kind_names[w->kind], w->groups, w->height, w->width, w->seed, w->branch);
  return orr_fs_join(path, sizeof(orr_path), w->root, name);
}

orr_code train_exam_set_make(const train_exam_wish *w) {
  const data_physics_choice choice = train_exam_choice(w);
  orr_path dir, index;
  ORR_TRY(folder_of(w, dir));
  ORR_TRY(orr_fs_join(index, sizeof index, dir, DATA_INDEX_NAME));
  if (orr_fs_exists(index)) return ORR_OK;
  if (orr_fs_exists(dir)) ORR_TRY(orr_fs_remove_tree(dir)); // half of one
  json_t *extra = data_physics_index(&choice, FPS);
  ORR_CHECK(extra, ORR_ENOMEM, "%s: out of memory", dir);
  const data_sim_options o = {
      .scene = &data_scene_physics,
      .dir = dir,
      .branch = w->branch,
      .setting = {.height = w->height, .width = w->width, .fps = FPS, .choice = &choice},
      .seed = w->seed,
      .episodes = w->groups * data_physics_group(&choice),
      .episode_frames = frames_of(w),
      .shard_frames = SHARD_FRAMES,
      .extra = extra,
      .group = data_physics_group(&choice),
      .processes = w->processes};
  const orr_code rc = data_sim_generate(&o);
  json_decref(extra);
  return rc;
}

static orr_code take_memory(train_exam_set *s) {
  const size_t frames = (size_t)(s->E * s->T);
  s->frames = orr_malloc(frames * (size_t)(s->height * s->width * 3));
  s->actions = orr_calloc(frames * DATA_PHYSICS_ACTIONS, sizeof *s->actions);
  s->state = orr_calloc(frames * DATA_PHYSICS_STATE, sizeof *s->state);
  ORR_CHECK(s->frames && s->actions && s->state, ORR_ENOMEM,
            "exam: %" PRId64 " episodes of %" PRId64 " frames: out of memory; ask for fewer", s->E,
            s->T);
  return ORR_OK;
}

static orr_code read_all(train_episodes *e, const char *dir, train_exam_set *s) {
  const data_shard_format *f = &train_episodes_index(e)->format;
  ORR_CHECK(train_episodes_count(e) == s->E && f->Q == DATA_PHYSICS_STATE &&
                f->A == DATA_PHYSICS_ACTIONS && f->height == s->height && f->width == s->width,
            ORR_EFORMAT,
            "%s: %" PRId64 " episodes of %" PRId64 " x %" PRId64 " with %" PRId64
            " state columns; wanted %" PRId64 " of %" PRId64 " x %" PRId64
            " with %d: remove the folder, and it is made anew",
            dir, train_episodes_count(e), f->height, f->width, f->Q, s->E, s->height, s->width,
            (int)DATA_PHYSICS_STATE);
  ORR_TRY(take_memory(s));
  for (int64_t i = 0; i < s->E; i++)
    ORR_TRY(train_episodes_read(e, i, 0, s->T, 1, s->frames + i * s->T * s->height * s->width * 3,
                                s->actions + i * (s->T - 1) * DATA_PHYSICS_ACTIONS,
                                s->state + i * s->T * DATA_PHYSICS_STATE));
  return ORR_OK;
}

orr_code train_exam_set_load(const train_exam_wish *w, train_exam_set *out) {
  orr_path dir;
  train_episodes *e = NULL;
  const data_physics_choice choice = train_exam_choice(w);
  const int64_t group = data_physics_group(&choice);
  *out = (train_exam_set){.choice = choice,
                          .seed = w->seed,
                          .E = w->groups * group,
                          .T = frames_of(w),
                          .height = w->height,
                          .width = w->width,
                          .group = group,
                          .event = data_physics_event(FPS)};
  ORR_TRY(folder_of(w, dir));
  ORR_TRY(train_episodes_open(dir, NULL, &e));
  const orr_code rc = read_all(e, dir, out);
  train_episodes_close(e);
  if (rc != ORR_OK) train_exam_set_release(out);
  return rc;
}

void train_exam_set_release(train_exam_set *s) {
  orr_free(s->state);
  orr_free(s->actions);
  orr_free(s->frames);
  memset(s, 0, sizeof *s);
}
