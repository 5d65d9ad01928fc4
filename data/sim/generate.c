// Jobs are whole shards; who writes which does not matter, since an episode's draws are keyed by
// its number.
#include "data/sim/generate.h"

#include <inttypes.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/fs.h"
#include "base/lock.h"
#include "base/workers.h"
#include "data/set/index.h"
#include "data/shard/writer.h"
#include "data/sim/episode.h"

typedef struct {
  const data_sim_options *o;
  int64_t shards, episodes_per_shard;
} sim_plan;

static sim_plan plan_shards(const data_sim_options *o) {
  int64_t episodes = o->shard_frames / o->episode_frames;
  const int64_t fewest = o->forks ? 2 : o->group ? o->group : 1; // a group stays in one shard
  episodes -= episodes % fewest;
  if (episodes < fewest) episodes = fewest;
  return (sim_plan){o, (o->episodes + episodes - 1) / episodes, episodes};
}

static orr_code write_shard(const sim_plan *plan, int64_t shard, void *scene,
                            data_sim_portion *portion, orr_board *board) {
  const data_sim_options *o = plan->o;
  data_shard_format format = {.branch = o->branch,
                              .source = o->scene->source,
                              .fps = o->setting.fps,
                              .height = o->setting.height,
                              .width = o->setting.width,
                              .A = o->scene->A,
                              .action_names = o->scene->action_names,
                              .Q = o->scene->Q,
                              .state_names = o->scene->state_names,
                              .reward = o->scene->outcome || o->scene->tries,
                              .done = o->scene->outcome || o->scene->tries,
                              .success = o->scene->tries};
  if (o->scene->views) o->scene->views(o->setting.height, o->setting.width, &format.views);
  orr_code rc = ORR_OK;
  data_shard_writer *w = NULL;
  orr_path path;
  ORR_TRY(data_shard_name_in(o->dir, shard, path, sizeof path));
  ORR_TRY(data_shard_writer_create(path, &format, DATA_FILTER_NONE, &w));
  int64_t first = shard * plan->episodes_per_shard, last = first + plan->episodes_per_shard;
  if (last > o->episodes) last = o->episodes;
  for (int64_t e = first; e < last && !atomic_load(&board->stop); e++)
    ORR_TRY_GOTO(data_sim_episode_write(o, scene, e, portion, w, &board->progress), destroy);
  if (!atomic_load(&board->stop)) rc = data_shard_writer_finish(w);
destroy:
  data_shard_writer_destroy(w);
  return rc;
}

static orr_code work(void *ctx, orr_board *board) {
  const sim_plan *plan = ctx;
  orr_code rc = ORR_OK;
  void *scene = NULL;
  data_sim_portion *portion = NULL;
  ORR_TRY(plan->o->scene->create(&plan->o->setting, &scene));
  ORR_TRY_GOTO(data_sim_portion_create(plan->o, &portion), destroy_scene);
  for (int64_t shard; (shard = orr_board_take(board)) >= 0;)
    ORR_TRY_GOTO(write_shard(plan, shard, scene, portion, board), destroy_portion);
destroy_portion:
  data_sim_portion_destroy(portion);
destroy_scene:
  plan->o->scene->destroy(scene);
  return rc;
}

static void report(void *ctx, int64_t frames) {
  const sim_plan *plan = ctx;
  const data_sim_options *o = plan->o;
  if (o->progress) o->progress(o->ctx, frames, o->episodes * o->episode_frames);
}

// Shards of another run would become part of this data set.
static orr_code check_folder(const char *dir) {
  orr_code rc = ORR_OK;
  DIR *d = opendir(dir);
  ORR_CHECK(d, ORR_EIO, "cannot read folder %s: %s", dir, strerror(errno));
  for (const struct dirent *entry; (entry = readdir(d));)
    ORR_CHECK_GOTO(
        strncmp(entry->d_name, "shard-", 6) != 0 && strcmp(entry->d_name, "index.json") != 0,
        close_dir, ORR_EINVAL, "%s already holds clips (%s); remove the folder or choose another",
        dir, entry->d_name);
close_dir:
  closedir(d);
  return rc;
}

static orr_code check_options(const data_sim_options *o) {
  ORR_CHECK(o->scene->available(), ORR_EUNSUPPORTED,
            "this build has no simulator for the scene %s: install %s, configure again and rebuild",
            o->scene->name, o->scene->needs ? o->scene->needs : "libmujoco-dev and libosmesa6-dev");
  ORR_CHECK(o->episodes >= 1 && o->episode_frames >= 2, ORR_EINVAL,
            "generate: %" PRId64 " episodes of %" PRId64
            " frames; at least 1 of at least 2 is needed",
            o->episodes, o->episode_frames);
  ORR_CHECK(o->processes >= 1 && o->shard_frames >= 1, ORR_EINVAL,
            "generate: %d processes and %" PRId64 " frames a shard; at least 1 of each is needed",
            o->processes, o->shard_frames);
  ORR_CHECK(!o->group || o->episodes % o->group == 0, ORR_EINVAL,
            "generate: %" PRId64 " episodes are not groups of %" PRId64 "; wanted a multiple of it",
            o->episodes, o->group);
  if (!o->forks) return ORR_OK;
  ORR_CHECK(o->scene->fork, ORR_EINVAL, "generate: scene %s has no forks; leave --forks out",
            o->scene->name);
  ORR_CHECK(o->forks >= 1 && o->forks < o->episode_frames, ORR_EINVAL,
            "generate: episodes of %" PRId64 " frames cannot fork after %" PRId64
            "; fork after 1 to %" PRId64,
            o->episode_frames, o->forks, o->episode_frames - 1);
  ORR_CHECK(o->episodes % 2 == 0, ORR_EINVAL,
            "generate: %" PRId64 " episodes are not pairs; forks need an even number", o->episodes);
  return ORR_OK;
}

// What the actions are: action 1 is `most` of the unit, -1 its opposite.
static json_t *describe_actions(const data_scene *s) {
  json_t *list = json_array();
  for (int64_t i = 0; i < s->A; i++)
    json_array_append_new(list, json_pack("{s:s, s:s, s:f, s:f}", "name", s->action_names[i],
                                          "unit", s->action_units[i], "low", -s->action_most[i],
                                          "high", s->action_most[i]));
  return list;
}

static void describe_goal(const data_sim_options *o, json_t *extra) {
  const data_skill *s = o->setting.skill;
  if (!o->scene->tries) return;
  json_object_set_new(extra, "task", json_string(o->scene->goals->tasks[o->setting.task]));
  json_object_set_new(extra, "skill",
                      s ? json_pack("{s:f, s:f, s:f, s:f}", "noise", s->noise, "delay", s->delay,
                                    "bias", s->bias, "lazy", s->lazy)
                        : json_string("mixed"));
}

static orr_code write_index(const data_sim_options *o) {
  json_t *extra = json_pack("{s:s, s:I, s:I}", "scene", o->scene->name, "seed", (json_int_t)o->seed,
                            "episode_frames", (json_int_t)o->episode_frames);
  if (extra && o->scene->action_units)
    json_object_set_new(extra, "actions", describe_actions(o->scene));
  if (extra) describe_goal(o, extra);
  if (extra && o->setting.voice_end)
    json_object_set_new(
        extra, "voices",
        json_pack("[I, I]", (json_int_t)o->setting.voice_first, (json_int_t)o->setting.voice_end));
  if (extra && o->forks)
    json_object_set_new(extra, "forks", json_pack("{s:I}", "prompt", (json_int_t)o->forks));
  if (extra && o->extra) json_object_update(extra, (json_t *)(uintptr_t)o->extra);
  if (extra && o->scene->foreign) {
    const data_scene_setting *d = &o->setting;
    json_object_set_new(extra, "mode", json_string(d->easy ? "easy" : "hard"));
    json_object_set_new(extra, "levels",
                        json_pack("[I, I]", (json_int_t)d->level_first, (json_int_t)d->level_end));
  }
  ORR_CHECK(extra, ORR_ENOMEM, "out of memory for the index of %s", o->dir);
  orr_code rc = data_index_build(o->dir, extra);
  json_decref(extra);
  return rc;
}

// After a failure: half a data set is none. Keeps the first message.
static void remove_shards(const sim_plan *plan) {
  char message[ORR_STATUS_MESSAGE_MAX], path[ORR_PATH_MAX];
  orr_status_copy(message, sizeof message);
  for (int64_t s = 0; s < plan->shards; s++)
    if (data_shard_name_in(plan->o->dir, s, path, sizeof path) == ORR_OK) orr_fs_remove_tree(path);
  orr_status_set(message);
}

static orr_code write_all(const data_sim_options *o) {
  sim_plan plan = plan_shards(o);
  orr_workers workers = {
      .count = o->processes < plan.shards ? o->processes : (int)plan.shards,
      .jobs = plan.shards,
      .work = work,
      .report = report,
      .ctx = &plan,
  };
  orr_code rc = orr_workers_run(&workers);
  if (rc == ORR_OK) rc = write_index(o);
  if (rc != ORR_OK) remove_shards(&plan);
  return rc;
}

orr_code data_sim_generate(const data_sim_options *o) {
  ORR_TRY(check_options(o));
  ORR_TRY(orr_fs_mkdirs(o->dir));
  orr_lock *lock = NULL;
  ORR_TRY(orr_lock_take(o->dir, "orrery data generate", &lock));
  orr_code rc = check_folder(o->dir);
  if (rc == ORR_OK) rc = write_all(o);
  orr_lock_release(lock);
  return rc;
}
