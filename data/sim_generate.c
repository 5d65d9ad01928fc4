// Thread and process rules: the parent forks, counts and writes the index; only the workers touch
// the simulator, OpenGL and the shards. They share one page: which shard is next, how many frames
// are done, whether to stop, and the first failure.
#include "data/sim_generate.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "data/index.h"
#include "data/shard_writer.h"
#include "data/sim_episode.h"
#include "data/tabletop.h"

#define POLL_US 100000

// Between parent and workers, in memory that they share.
typedef struct {
  _Atomic int64_t next_shard;
  _Atomic int64_t frames_done;
  atomic_bool stop;
  atomic_flag failed; // taken by the first worker to fail, who owns code and message
  orr_code code;
  char message[ORR_STATUS_MESSAGE_MAX];
} sim_board;

typedef struct {
  const data_sim_options *o;
  int64_t shards, episodes_per_shard;
} sim_plan;

static sim_plan plan_shards(const data_sim_options *o) {
  int64_t episodes = o->shard_frames / o->episode_frames;
  if (o->forks) episodes -= episodes % 2; // a pair stays in one shard
  int64_t fewest = o->forks ? 2 : 1;
  if (episodes < fewest) episodes = fewest;
  return (sim_plan){o, (o->episodes + episodes - 1) / episodes, episodes};
}

static orr_code shard_path(const sim_plan *plan, int64_t shard, char out[PATH_MAX]) {
  char name[DATA_SHARD_NAME_MAX];
  data_shard_name(name, shard);
  return orr_fs_join(out, PATH_MAX, plan->o->dir, name);
}

static orr_code write_shard(const sim_plan *plan, int64_t shard, data_tabletop *scene,
                            data_sim_portion *portion, sim_board *board) {
  const data_sim_options *o = plan->o;
  data_shard_format format = {.branch = o->branch,
                              .source = "tabletop scene, MuJoCo",
                              .fps = o->fps,
                              .height = o->height,
                              .width = o->width,
                              .A = DATA_TABLETOP_ACTIONS,
                              .action_names = data_tabletop_action_names,
                              .Q = DATA_TABLETOP_STATE,
                              .state_names = data_tabletop_state_names};
  orr_code rc = ORR_OK;
  data_shard_writer *w = NULL;
  char path[PATH_MAX];
  ORR_TRY(shard_path(plan, shard, path));
  ORR_TRY(data_shard_writer_create(path, &format, DATA_FILTER_NONE, &w));
  int64_t first = shard * plan->episodes_per_shard, last = first + plan->episodes_per_shard;
  if (last > o->episodes) last = o->episodes;
  for (int64_t e = first; e < last && !atomic_load(&board->stop); e++)
    ORR_TRY_GOTO(data_sim_episode_write(o, scene, e, portion, w, &board->frames_done), destroy);
  if (!atomic_load(&board->stop)) rc = data_shard_writer_finish(w);
destroy:
  data_shard_writer_destroy(w);
  return rc;
}

static orr_code work(const sim_plan *plan, sim_board *board) {
  orr_code rc = ORR_OK;
  data_tabletop *scene = NULL;
  data_sim_portion *portion = NULL;
  ORR_TRY(data_tabletop_create(plan->o->height, plan->o->width, plan->o->fps, &scene));
  ORR_TRY_GOTO(data_sim_portion_create(plan->o->height, plan->o->width, &portion), destroy_scene);
  for (;;) {
    int64_t shard = atomic_fetch_add(&board->next_shard, 1);
    if (shard >= plan->shards || atomic_load(&board->stop)) break;
    ORR_TRY_GOTO(write_shard(plan, shard, scene, portion, board), destroy_portion);
  }
destroy_portion:
  data_sim_portion_destroy(portion);
destroy_scene:
  data_tabletop_destroy(scene);
  return rc;
}

static void post_failure(sim_board *board, orr_code code) {
  if (!atomic_flag_test_and_set(&board->failed)) {
    board->code = code;
    orr_status_copy(board->message, sizeof board->message);
  }
  atomic_store(&board->stop, true);
}

// A worker's whole life. _exit: the parent's buffers and handlers are not the worker's to run.
static _Noreturn void worker_main(const sim_plan *plan, sim_board *board, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) _exit(1); // it died before the line above
  orr_code rc = work(plan, board);
  if (rc != ORR_OK) post_failure(board, rc);
  _exit(rc == ORR_OK ? 0 : 1);
}

// Notes how a worker ended. One that was killed could not say why.
static void note_end(sim_board *board, pid_t pid, int status) {
  if (WIFEXITED(status) && (WEXITSTATUS(status) == 0 || atomic_load(&board->stop))) return;
  if (WIFSIGNALED(status))
    post_failure(board, ORR_FAIL(ORR_EIO,
                                 "generate: worker process %ld was ended by signal %d (%s); out of "
                                 "memory? fewer --processes need less",
                                 (long)pid, WTERMSIG(status), strsignal(WTERMSIG(status))));
  else
    post_failure(board, ORR_FAIL(ORR_EIO,
                                 "generate: worker process %ld ended with status %d and no message",
                                 (long)pid, status));
}

static void report(const data_sim_options *o, sim_board *board) {
  if (o->progress)
    o->progress(o->ctx, atomic_load(&board->frames_done), o->episodes * o->episode_frames);
}

// Waits for every worker; a failure of one stops the others at their next episode.
static void wait_workers(const data_sim_options *o, sim_board *board, pid_t *pids, int count) {
  for (int alive = count; alive > 0;) {
    for (int i = 0; i < count; i++) {
      int status;
      if (pids[i] <= 0 || waitpid(pids[i], &status, WNOHANG) != pids[i]) continue;
      note_end(board, pids[i], status);
      pids[i] = 0;
      alive--;
    }
    if (alive == 0) break;
    report(o, board);
    usleep(POLL_US);
  }
  report(o, board);
}

static orr_code run_workers(const sim_plan *plan, sim_board *board) {
  const data_sim_options *o = plan->o;
  int count = o->processes < plan->shards ? o->processes : (int)plan->shards;
  pid_t parent = getpid(), *pids = orr_calloc((size_t)count, sizeof *pids);
  ORR_CHECK(pids, ORR_ENOMEM, "no memory for %d workers", count);
  int started = 0;
  for (; started < count; started++) {
    pids[started] = fork();
    if (pids[started] == 0) worker_main(plan, board, parent);
    if (pids[started] < 0) {
      post_failure(
          board,
          ORR_FAIL(ORR_EIO,
                   "generate: cannot start worker process %d of %d: %s; ask for fewer --processes",
                   started + 1, count, strerror(errno)));
      break;
    }
  }
  wait_workers(o, board, pids, started);
  orr_free(pids);
  if (!atomic_load(&board->stop)) return ORR_OK;
  orr_status_set(board->message);
  return board->code;
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
  ORR_CHECK(data_tabletop_available(), ORR_EUNSUPPORTED,
            "this build has no simulator: install libmujoco-dev and libosmesa6-dev, configure "
            "again and rebuild");
  ORR_CHECK(o->episodes >= 1 && o->episode_frames >= 2, ORR_EINVAL,
            "generate: %lld episodes of %lld frames; at least 1 of at least 2 is needed",
            (long long)o->episodes, (long long)o->episode_frames);
  ORR_CHECK(o->processes >= 1 && o->shard_frames >= 1, ORR_EINVAL,
            "generate: %d processes and %lld frames a shard; at least 1 of each is needed",
            o->processes, (long long)o->shard_frames);
  if (!o->forks) return ORR_OK;
  ORR_CHECK(o->forks >= 1 && o->forks < o->episode_frames, ORR_EINVAL,
            "generate: episodes of %lld frames cannot fork after %lld; fork after 1 to %lld",
            (long long)o->episode_frames, (long long)o->forks, (long long)o->episode_frames - 1);
  ORR_CHECK(o->episodes % 2 == 0, ORR_EINVAL,
            "generate: %lld episodes are not pairs; forks need an even number",
            (long long)o->episodes);
  return ORR_OK;
}

static orr_code write_index(const data_sim_options *o) {
  json_t *extra = json_pack("{s:s, s:I, s:I}", "scene", "tabletop", "seed", (json_int_t)o->seed,
                            "episode_frames", (json_int_t)o->episode_frames);
  if (extra && o->forks)
    json_object_set_new(extra, "forks", json_pack("{s:I}", "prompt", (json_int_t)o->forks));
  ORR_CHECK(extra, ORR_ENOMEM, "no memory for the index of %s", o->dir);
  orr_code rc = data_index_build(o->dir, extra);
  json_decref(extra);
  return rc;
}

// After a failure: half a data set is none. Keeps the first message.
static void remove_shards(const sim_plan *plan) {
  char message[ORR_STATUS_MESSAGE_MAX], path[PATH_MAX];
  orr_status_copy(message, sizeof message);
  for (int64_t s = 0; s < plan->shards; s++)
    if (shard_path(plan, s, path) == ORR_OK) orr_fs_remove_tree(path);
  orr_status_set(message);
}

orr_code data_sim_generate(const data_sim_options *o) {
  ORR_TRY(check_options(o));
  ORR_TRY(orr_fs_mkdirs(o->dir));
  ORR_TRY(check_folder(o->dir));
  sim_plan plan = plan_shards(o);
  sim_board *board =
      mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ORR_CHECK(board != MAP_FAILED, ORR_ENOMEM, "no shared memory for the workers: %s",
            strerror(errno));
  atomic_flag_clear(&board->failed);
  orr_code rc = run_workers(&plan, board);
  munmap(board, sizeof *board);
  if (rc == ORR_OK) rc = write_index(o);
  if (rc != ORR_OK) remove_shards(&plan);
  return rc;
}
