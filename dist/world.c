#define _GNU_SOURCE // pthread_clockjoin_np
#include "dist/world.h"

#include <mpi.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "base/clock.h"
#include "base/cores.h"
#include "base/log.h"
#include "base/mem.h"
#include "dist/comm_mpi.h"
#include "dist/comm_nccl.h"
#include "dist/launch.h"
#include "dist/mpi_parts.h"
#include "dist/mpi_wait.h"
#include "dist/recorder.h"
#include "dist/startup.h"
#include "dist/watchdog.h"

typedef struct {
  dist_world world;
  bool mpi;      // MPI is in use
  bool finalize; // open initialised it
  atomic_bool gave_up;
  pthread_t aborting[DIST_AXES]; // of those that a thread is ending
  bool aborts[DIST_AXES];
} open_world; // `world` first: the two addresses are equal

static orr_code start_mpi(open_world *w) {
  int initialized = 0, level = 0;
  MPI_Initialized(&initialized);
  if (!initialized) {
    ORR_TRY(dist_mpi_check(MPI_Init_thread(NULL, NULL, MPI_THREAD_SERIALIZED, &level),
                           DIST_AXIS_WORLD, "start MPI"));
    w->finalize = true;
  } else {
    MPI_Query_thread(&level);
  }
  w->mpi = true;
  dist_mpi_wait_begin();
  dist_mpi_parts_keep();
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  ORR_CHECK(level >= MPI_THREAD_SERIALIZED, ORR_EUNSUPPORTED,
            "MPI: gives thread level %d, wanted MPI_THREAD_SERIALIZED (%d); use an MPI built with "
            "threads",
            level, MPI_THREAD_SERIALIZED);
  return ORR_OK;
}

// Open MPI without a way to reach the launcher's PMI starts each rank as a world of its own; they
// would all train the same thing and write the same files.
static orr_code check_ranks(int ranks, int wanted, const char *launcher) {
  ORR_CHECK(
      wanted == 0 || ranks == wanted, ORR_ECOMM,
      "world of %d rank%s, but %s started %d: MPI did not find the others; start with `srun "
      "--mpi=pmix` (`srun --mpi=list` shows what Slurm has) or mpirun, or one rank alone with "
      "`srun -n 1`",
      ranks, ranks == 1 ? "" : "s", launcher, wanted);
  return ORR_OK;
}

// Which of the host's cores are this rank's: all its ranks tell each other where they may run.
static orr_code share_cores(MPI_Comm node, dist_world *w) {
  uint16_t sharers[ORR_CORES_MAX] = {0};
  orr_cores_mask mine;
  orr_cores_allowed(&mine);
  orr_cores_add(sharers, &mine);
  const int result =
      MPI_Allreduce(MPI_IN_PLACE, sharers, ORR_CORES_MAX, MPI_UINT16_T, MPI_SUM, node);
  ORR_TRY(dist_mpi_check(result, DIST_AXIS_WORLD, "compare the cores of this host's ranks"));
  w->cores = orr_cores_share(&mine, sharers, w->node_ranks, orr_cores_quota(""));
  return ORR_OK;
}

static orr_code find_node(dist_world *w) {
  MPI_Comm node = MPI_COMM_NULL;
  ORR_TRY(dist_mpi_check(
      MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, w->grid.rank, MPI_INFO_NULL, &node),
      DIST_AXIS_WORLD, "find the ranks of this host"));
  MPI_Comm_rank(node, &w->node_rank);
  MPI_Comm_size(node, &w->node_ranks);
  orr_code rc = share_cores(node, w);
  MPI_Comm_free(&node);
  return rc;
}

// timeout_s 0: unwatched.
static orr_code open_ranks(double timeout_s, dist_world **out) {
  orr_code rc = ORR_OK;
  const char *launcher = NULL;
  int wanted = dist_launch_ranks(&launcher), rank = 0, ranks = 1;
  open_world *w = orr_calloc(1, sizeof *w);
  ORR_CHECK(w, ORR_ENOMEM, "world: out of memory for it");
  w->world.node_ranks = 1;
  w->world.cores = orr_cores_usable();
  if (timeout_s > 0.0) ORR_TRY_GOTO(dist_startup_begin(timeout_s, &w->world.startup), close);
  if (wanted != 1) {
    if (!dist_launch_connected()) ORR_TRY_GOTO(check_ranks(1, wanted, launcher), close);
    ORR_TRY_GOTO(start_mpi(w), close);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    ORR_TRY_GOTO(check_ranks(ranks, wanted, launcher), close);
  }
  ORR_TRY_GOTO(dist_grid_init(1, 1, 0, rank, ranks, &w->world.grid), close);
  if (w->mpi) ORR_TRY_GOTO(find_node(&w->world), close);
  ORR_TRY_GOTO(dist_recorder_create(&w->world.recorder), close);
  ORR_TRY_GOTO(dist_world_split(&w->world, 1, 1, 0), close);
  *out = &w->world;
  return ORR_OK;
close:
  dist_world_close(&w->world);
  return rc;
}

void dist_world_met(dist_world *w) {
  dist_startup_end(w->startup);
  w->startup = NULL;
}

orr_code dist_world_open(dist_world **out) {
  return open_ranks(0.0, out);
}

orr_code dist_world_open_watched(double timeout_s, dist_world **out) {
  return open_ranks(timeout_s, out);
}

static orr_code make_axis(dist_world *w, dist_axis axis) {
  const dist_axis_line line = dist_grid_line(&w->grid, axis);
  MPI_Comm comm = MPI_COMM_NULL;
  if (line.size == 1) return dist_comm_self_create(axis, &w->axis[axis]);
  ORR_TRY(dist_mpi_check(MPI_Comm_split(MPI_COMM_WORLD, line.first, line.place, &comm), axis,
                         "make its communicator"));
  ORR_TRY(dist_comm_mpi_create(comm, axis, &w->axis[axis]));
  w->axis[axis]->recorder = w->recorder;
  return ORR_OK;
}

void dist_world_leave_device(dist_world *w) {
  open_world *o = (open_world *)w;
  for (int i = 0; i < DIST_AXES; i++) {
    if (o->aborts[i]) pthread_join(o->aborting[i], NULL);
    o->aborts[i] = false;
  }
  atomic_store(&o->gave_up, false);
  for (int i = 0; i < DIST_AXES; i++) {
    if (w->device[i] != w->axis[i]) dist_comm_destroy(w->device[i]);
    w->device[i] = NULL;
  }
  dist_nccl_close(w->nccl);
  w->nccl = NULL;
}

static void destroy_axes(dist_world *w) {
  dist_world_leave_device(w);
  for (int i = 0; i < DIST_AXES; i++) {
    dist_comm_destroy(w->axis[i]);
    w->axis[i] = NULL;
  }
}

// Calls are counted anew afterwards: the recorder begins and ends empty.
static orr_code make_axes(dist_world *w) {
  const dist_call call = {
      .collective = DIST_SPLIT, .axis = DIST_AXIS_WORLD, .type = DIST_U8, .sequence = 1};
  orr_code rc = ORR_OK;
  dist_recorder_clear(w->recorder);
  dist_recorder_enter(w->recorder, &call, orr_clock_ns());
  // A split is collective over the world, and every rank makes the same ones: sizes are the same
  // everywhere.
  for (int i = 0; i < DIST_AXES && rc == ORR_OK; i++) rc = make_axis(w, (dist_axis)i);
  dist_recorder_leave(w->recorder, true, orr_clock_ns());
  dist_recorder_clear(w->recorder);
  return rc;
}

orr_code dist_world_split(dist_world *w, int tp, int cp, int dp) {
  return dist_world_split_shards(w, tp, cp, dp, 0);
}

orr_code dist_world_split_shards(dist_world *w, int tp, int cp, int dp, int shard) {
  dist_grid g;
  ORR_TRY(dist_grid_init(tp, cp, dp, w->grid.rank, w->grid.ranks, &g));
  ORR_TRY(dist_grid_cut(&g, shard));
  destroy_axes(w);
  w->grid = g;
  return make_axes(w);
}

// The twin of an axis on the device; both count their calls together.
static orr_code make_device_axis(dist_world *w, dist_axis axis) {
  dist_comm *host = w->axis[axis];
  if (host->size == 1) {
    w->device[axis] = host;
    return ORR_OK;
  }
  ORR_TRY(
      dist_comm_nccl_create(w->nccl, host, dist_grid_line(&w->grid, axis).first, &w->device[axis]));
  w->device[axis]->recorder = w->recorder;
  w->device[axis]->counter = host;
  return ORR_OK;
}

orr_code dist_world_split_device(dist_world *w, const dist_device *d) {
  orr_code rc = ORR_OK;
  dist_comm *all = w->axis[DIST_AXIS_WORLD];
  dist_world_leave_device(w);
  if (w->grid.ranks > 1) ORR_TRY(dist_nccl_open(all, d, w->grid.tp * w->grid.cp > 1, &w->nccl));
  for (int i = 0; i < DIST_AXES; i++) {
    rc = make_device_axis(w, (dist_axis)i);
    ORR_TRY_GOTO(dist_agree(all, rc, "split the ranks over NCCL"), destroy);
  }
  return ORR_OK;
destroy:
  dist_world_leave_device(w);
  return rc;
}

orr_code dist_world_fault(const dist_world *w) {
  for (int i = 0; i < DIST_AXES; i++) {
    dist_comm *c = w->device[i];
    if (c && c->table->fault) ORR_TRY(c->table->fault(c));
  }
  return ORR_OK;
}

static void *abort_one(void *comm) {
  dist_comm *c = comm;
  c->table->abort(c);
  return NULL;
}

// Each in a thread of its own: all must be told, and the first may not return before its graphs.
void dist_world_abort_device(dist_world *w) {
  enum { ALL_MS = 500 };
  open_world *o = (open_world *)w;
  struct timespec until;
  if (atomic_exchange(&o->gave_up, true)) return;
  for (int i = 0; i < DIST_AXES; i++) {
    dist_comm *c = w->device[i];
    if (!c || !c->table->abort) continue;
    o->aborts[i] = pthread_create(&o->aborting[i], NULL, abort_one, c) == 0;
    if (!o->aborts[i])
      ORR_WARN("no thread to abort the %s axis on the device", dist_axis_name(c->axis));
  }
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_nsec += ALL_MS * 1000000L;
  until.tv_sec += until.tv_nsec / 1000000000L;
  until.tv_nsec %= 1000000000L;
  for (int i = 0; i < DIST_AXES; i++)
    if (o->aborts[i] && pthread_clockjoin_np(o->aborting[i], NULL, CLOCK_MONOTONIC, &until) == 0)
      o->aborts[i] = false;
}

void dist_world_give_up_device(dist_world *w) {
  char before[ORR_STATUS_MESSAGE_MAX]; // why the run ends is not for this to overwrite
  orr_status_copy(before, sizeof before);
  if (dist_world_fault(w) != ORR_OK) dist_world_abort_device(w);
  orr_status_set(before);
}

void dist_world_close(dist_world *w) {
  if (!w) return;
  open_world *o = (open_world *)w;
  if (w->axis[DIST_AXIS_WORLD])
    dist_leave_begin(w->axis[DIST_AXIS_WORLD]); // the watchdog sees who does not come along
  destroy_axes(w);
  if (o->finalize) MPI_Finalize();
  dist_watchdog_stop(w->watchdog);
  dist_recorder_destroy(w->recorder);
  dist_world_met(w);
  orr_free(o);
}

void dist_world_abort(dist_world *w, int exit_code) {
  dist_process_end(w && ((open_world *)w)->mpi, exit_code);
}
