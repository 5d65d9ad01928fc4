// The watchdog. It reads the recorder and its own sockets and calls MPI only to abort: the thread
// that hangs may be inside MPI and hold its locks. Of NCCL it asks whether a collective has failed.
//
// A rank that hangs says HANG to both centres (dist/sideband.h), and goes on to answer. The first
// rank ASKs everyone for a recording, waits a moment for those who can answer, writes the report
// and says END. The last rank is its deputy: it does the same when the first is dead or has not
// asked. A rank that hears of no report ends by itself.
#include "dist/watchdog.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <mpi.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "dist/comm_table.h"
#include "dist/sideband.h"

#define LOOK_MS        250  // between two looks at the recorder
#define LOOK_ALARM_MS  20   // once there is an alarm
#define COUNTED_MAX_MS 1000 // of the time between two looks: the rest this process was stopped
#define DEPUTY_MS      1500 // the first rank has this long to ask before the last one does
#define ANSWER_MS      1500 // ranks have this long to answer
#define SETTLE_MS      400  // after a death: launchers kill the other ranks about a second after it
#define AGAIN_MS       100  // between two questions meanwhile
#define ALONE_MS       4500 // a rank that nobody has told to end does so
#define LAST_RESORT_MS 2000 // for writing the report and MPI_Abort
#define PATIENCE_S     60.0 // outside of training, for ranks that wait for one that is at work
#define LATER_S        5.0  // from being told to wait to the next alarm, at most

struct dist_watchdog {
  dist_world *world;
  double timeout_s;
  pthread_mutex_t lock; // of these
  bool strict;          // ranks are at their steps: the axes stay as they are
  char *report;
  dist_told_fn told;
  void *told_ctx;
  dist_grid grid;          // for the report
  dist_sideband *sideband; // NULL for a world of one rank, which has no thread either
  dist_peer *peers;        // [ranks] at a centre, else NULL
  pthread_t thread;
  bool running;
  atomic_bool stop;
  int64_t look_ns;                  // of the last look
  int64_t inside_ticket, waited_ns; // the call that this rank is inside of, and how long by looks
  char fault[192];                  // of a collective on the device, "" = none
  int64_t alarm_ns;                 // when this rank learnt of a hang; 0 = all is well
  int64_t asked_ns, first_asked_ns; // a centre's own questions; 0 = none
  int64_t asked_by_first_ns;        // the first rank is at it
  bool first_gone;                  // its process is dead, or it has left
};

// -- the end --------------------------------------------------------------------------------

static void *last_resort(void *exit_code) {
  usleep(LAST_RESORT_MS * 1000);
  _exit(*(const int *)exit_code);
}

// From here on this process ends, whatever else gets stuck.
static void arm_last_resort(const int *exit_code) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, last_resort, (void *)exit_code)) _exit(*exit_code);
}

void dist_process_end(bool mpi, int exit_code) {
  if (mpi) {
    arm_last_resort(&exit_code);
    MPI_Abort(MPI_COMM_WORLD, exit_code);
  }
  _exit(exit_code);
}

// Straight to the descriptor: the thread that hangs may hold the stream's lock.
static void print(const char *text, size_t bytes) {
  while (bytes > 0) {
    ssize_t n = write(STDERR_FILENO, text, bytes);
    if (n <= 0) return;
    text += n;
    bytes -= (size_t)n;
  }
}

__attribute__((noreturn)) static void report_and_end(dist_watchdog *d) {
  static const int failed = 1;
  char *text = NULL;
  size_t bytes = 0;
  arm_last_resort(&failed); // the terminal or the file system may be what hangs
  FILE *out = open_memstream(&text, &bytes);
  pthread_mutex_lock(&d->lock); // and keeps it: nobody changes these any more
  if (out) {
    char now[32];
    orr_clock_text(orr_clock_wall(), now);
    fprintf(out, "%s UTC\n", now);
    dist_hang_write(out, &d->grid, d->peers, d->timeout_s);
    if (fclose(out) == 0) print(text, bytes);
  }
  if (d->report && text && orr_fs_write_atomic(d->report, text, bytes) != ORR_OK)
    ORR_ERROR("hang report: %s", orr_status_message());
  if (d->told && text) d->told(d->told_ctx, text);
  for (int i = 0; i < d->world->grid.ranks; i++)
    dist_sideband_send(d->sideband, i, DIST_WORD_END, NULL);
  if (d->strict) dist_world_abort_device(d->world);
  dist_process_end(true, failed);
}

// Nobody reports: at least this rank says what it waits for.
__attribute__((noreturn)) static void end_alone(dist_watchdog *d) {
  dist_recording now;
  char call[128] = "no collective";
  dist_recorder_read(d->world->recorder, orr_clock_ns(), &now);
  if (now.inside >= 0) dist_call_print(&now.records[now.inside].call, call, sizeof call);
  ORR_ERROR(
      "rank %d: in %s: not finished in %g s, and no report came from rank 0 or rank %d; a rank "
      "did not take part (look for one that ended, or raise dist.timeout_s)",
      d->world->grid.rank, call, d->timeout_s, d->world->grid.ranks - 1);
  dist_process_end(true, 1);
}

// -- gathering ------------------------------------------------------------------------------

static bool older(int64_t since_ns, int64_t ms, int64_t now_ns) {
  return now_ns - since_ns >= ms * 1000000;
}

static void read_mine(dist_watchdog *d, int64_t now_ns, dist_recording *mine) {
  dist_recorder_read(d->world->recorder, now_ns, mine);
  memcpy(mine->fault, d->fault, sizeof mine->fault);
}

static void ask_all(dist_watchdog *d, int64_t now_ns) {
  int me = d->world->grid.rank;
  for (int i = 0; i < d->world->grid.ranks; i++) {
    dist_peer *p = d->peers + i;
    if (i == me || p->state == DIST_PEER_ENDED || p->state == DIST_PEER_LEFT) continue;
    p->state = DIST_PEER_SILENT;
    dist_sideband_send(d->sideband, i, DIST_WORD_ASK, NULL);
  }
  d->peers[me].state = DIST_PEER_ANSWERED;
  read_mine(d, now_ns, &d->peers[me].recording);
  d->asked_ns = now_ns;
  if (!d->first_asked_ns) d->first_asked_ns = now_ns;
}

static bool all_answered(const dist_watchdog *d) {
  for (int i = 0; i < d->world->grid.ranks; i++)
    if (d->peers[i].state == DIST_PEER_SILENT) return false;
  return true;
}

static bool somebody_died(const dist_watchdog *d) {
  for (int i = 0; i < d->world->grid.ranks; i++)
    if (d->peers[i].state == DIST_PEER_ENDED) return true;
  return false;
}

// Outside of steps a rank may be at work for longer than a collective takes: it loads, or waits for
// the run's folder. Who is there is believed for a while. And where all ranks are in a call, or
// through it, the last of them may only lack a core of a busy machine.
static bool may_wait(dist_watchdog *d) {
  double most_s = d->timeout_s > PATIENCE_S ? d->timeout_s : PATIENCE_S;
  pthread_mutex_lock(&d->lock);
  const bool strict = d->strict;
  pthread_mutex_unlock(&d->lock);
  if (strict) {
    if (dist_hang_names(&d->grid, d->peers)) return false;
    most_s = d->timeout_s + PATIENCE_S;
  }
  for (int i = 0; i < d->world->grid.ranks; i++) {
    const dist_peer *p = &d->peers[i];
    const dist_recording *r = &p->recording;
    const bool waits = p->state == DIST_PEER_ANSWERED && !r->fault[0] &&
                       (r->inside < 0 || 1e-9 * (double)r->inside_age_ns < most_s);
    if (p->state != DIST_PEER_LEFT && !waits) return false;
  }
  return true;
}

double dist_watchdog_waited_s(double timeout_s) {
  return timeout_s > LATER_S ? timeout_s - LATER_S : 0.0;
}

// No alarm any more. `look` counts anew in another call, and never more than this one has taken.
static void calm(dist_watchdog *d) {
  d->alarm_ns = d->asked_ns = d->first_asked_ns = d->asked_by_first_ns = 0;
  d->waited_ns = (int64_t)(1e9 * dist_watchdog_waited_s(d->timeout_s));
}

static void tell_to_wait(dist_watchdog *d) {
  for (int i = 0; i < d->world->grid.ranks; i++)
    dist_sideband_send(d->sideband, i, DIST_WORD_WAIT, NULL);
  calm(d);
}

// Asks, waits, reports. After a death the others may not have come yet to the call that needs the
// dead rank: they are asked again until they have settled.
static void gather(dist_watchdog *d, int64_t now_ns) {
  if (!d->asked_ns) {
    ask_all(d, now_ns);
    return;
  }
  bool late = older(d->asked_ns, ANSWER_MS, now_ns);
  if (!all_answered(d) && !late) return;
  if (may_wait(d)) {
    tell_to_wait(d);
    return;
  }
  if (late || !somebody_died(d) || older(d->first_asked_ns, SETTLE_MS, now_ns)) report_and_end(d);
  if (older(d->asked_ns, AGAIN_MS, now_ns)) ask_all(d, now_ns);
}

// What this rank does once there is an alarm.
static void act(dist_watchdog *d, int64_t now_ns) {
  const dist_grid *g = &d->world->grid;
  bool first = g->rank == 0, deputy = g->rank == dist_sideband_deputy(d->sideband);
  bool deputy_turn =
      d->first_gone || (!d->asked_by_first_ns && older(d->alarm_ns, DEPUTY_MS, now_ns));
  if (first || (deputy && deputy_turn)) gather(d, now_ns);
  if (!d->alarm_ns) return; // everyone is there
  int64_t since = d->asked_by_first_ns > d->alarm_ns ? d->asked_by_first_ns : d->alarm_ns;
  if (older(since, ALONE_MS, now_ns)) end_alone(d);
}

// -- what comes in --------------------------------------------------------------------------

static void alarm_now(dist_watchdog *d, int64_t now_ns) {
  if (!d->alarm_ns) d->alarm_ns = now_ns;
}

static void answer(dist_watchdog *d, int rank, int64_t now_ns) {
  dist_recording mine;
  read_mine(d, now_ns, &mine);
  dist_sideband_send(d->sideband, rank, DIST_WORD_ANSWER, &mine);
  alarm_now(d, now_ns);
  if (rank != 0) return;
  d->asked_by_first_ns = now_ns;
  d->asked_ns = d->first_asked_ns = 0; // a deputy that has begun leaves it to the first rank
}

static void handle(dist_watchdog *d, const dist_message *m, int64_t now_ns) {
  dist_peer *p = d->peers ? d->peers + m->rank : NULL;
  switch (m->word) {
  case DIST_WORD_HANG:
    alarm_now(d, now_ns);
    return;
  case DIST_WORD_ASK:
    answer(d, m->rank, now_ns);
    return;
  case DIST_WORD_ANSWER:
    if (!p || !m->recording || p->state != DIST_PEER_SILENT) return;
    p->state = DIST_PEER_ANSWERED;
    p->recording = *m->recording;
    return;
  case DIST_WORD_END:
    dist_process_end(false, 1);
  case DIST_WORD_WAIT:
    calm(d);
    return;
  case DIST_WORD_BYE:
    if (p) p->state = DIST_PEER_LEFT;
    d->first_gone = d->first_gone || m->rank == 0;
    return;
  case DIST_WORD_GONE:
    if (p) p->state = DIST_PEER_ENDED;
    d->first_gone = d->first_gone || m->rank == 0;
    alarm_now(d, now_ns);
    return;
  }
}

// -- the thread -----------------------------------------------------------------------------

static void raise_alarm(dist_watchdog *d, int64_t now_ns) {
  if (d->alarm_ns) return;
  alarm_now(d, now_ns);
  dist_sideband_send(d->sideband, 0, DIST_WORD_HANG, NULL);
  dist_sideband_send(d->sideband, dist_sideband_deputy(d->sideband), DIST_WORD_HANG, NULL);
}

// Counts how long this rank has been inside of one call, by looks.
static void look(dist_watchdog *d, int64_t now_ns) {
  dist_recording now;
  int64_t passed = now_ns - d->look_ns, most = COUNTED_MAX_MS * INT64_C(1000000);
  d->look_ns = now_ns;
  dist_recorder_read(d->world->recorder, now_ns, &now);
  if (now.inside < 0 || now.inside_ticket != d->inside_ticket) d->waited_ns = 0;
  d->inside_ticket = now.inside < 0 ? 0 : now.inside_ticket;
  if (now.inside < 0) return;
  d->waited_ns += passed < most ? passed : most;
  if (d->waited_ns > now.inside_age_ns) d->waited_ns = now.inside_age_ns;
  if ((double)d->waited_ns * 1e-9 >= d->timeout_s) raise_alarm(d, now_ns);
}

// The device's collectives fail on their own, while the host does something else.
static void look_at_device(dist_watchdog *d, int64_t now_ns) {
  pthread_mutex_lock(&d->lock); // or the axes would go meanwhile
  const bool failed = d->strict && !d->fault[0] && dist_world_fault(d->world) != ORR_OK;
  pthread_mutex_unlock(&d->lock);
  if (!failed) return;
  snprintf(d->fault, sizeof d->fault, "%.191s", orr_status_message());
  raise_alarm(d, now_ns);
}

static void *watch(void *arg) {
  dist_watchdog *d = arg;
  dist_message m;
  d->look_ns = orr_clock_ns();
  while (!atomic_load(&d->stop)) {
    bool came = dist_sideband_receive(d->sideband, d->alarm_ns ? LOOK_ALARM_MS : LOOK_MS, &m);
    int64_t now_ns = orr_clock_ns();
    if (atomic_load(&d->stop)) break;
    if (came) handle(d, &m, now_ns);
    look(d, now_ns);
    look_at_device(d, now_ns);
    if (d->alarm_ns) act(d, now_ns);
  }
  return NULL;
}

static orr_code create(dist_world *w, const dist_watchdog_options *o, dist_watchdog **out) {
  int rank = w->grid.rank, ranks = w->grid.ranks;
  bool centre = ranks > 1 && (rank == 0 || rank == ranks - 1);
  dist_watchdog *d = orr_calloc(1, sizeof *d);
  ORR_CHECK(d, ORR_ENOMEM, "watchdog: out of memory for it");
  d->world = w;
  d->timeout_s = o->timeout_s;
  d->strict = !o->early;
  d->grid = w->grid;
  pthread_mutex_init(&d->lock, NULL);
  d->report = o->report ? orr_strdup(o->report) : NULL;
  d->peers = centre ? orr_calloc((size_t)ranks, sizeof *d->peers) : NULL;
  *out = d;
  ORR_CHECK((d->report || !o->report) && (d->peers || !centre), ORR_ENOMEM,
            "watchdog: out of memory for the recordings of %d ranks", ranks);
  return ORR_OK;
}

// Collective over a world of more than one rank.
static orr_code connect_ranks(dist_watchdog *d) {
  int64_t missing = 0;
  const dist_grid *g = &d->world->grid;
  ORR_TRY(dist_sideband_open(d->world->axis[DIST_AXIS_WORLD], &d->sideband, &missing));
  if (missing && g->rank == 0)
    ORR_WARN("watchdog: %" PRId64
             " connections between ranks could not be made (a firewall?): a report on "
             "a hang will lack ranks",
             missing);
  for (int i = 0; d->peers && i < g->ranks; i++)
    d->peers[i].identity = *dist_sideband_identity(d->sideband, i);
  return ORR_OK;
}

static orr_code start_thread(dist_watchdog *d) {
  const orr_code rc = orr_thread_start(&d->thread, watch, d, "watchdog");
  d->running = rc == ORR_OK;
  return rc;
}

orr_code dist_watchdog_start(dist_world *w, const dist_watchdog_options *o, dist_watchdog **out) {
  dist_comm *all = w->axis[DIST_AXIS_WORLD];
  dist_watchdog *d = NULL;
  dist_watchdog_stop(w->watchdog); // of a run before this one
  w->watchdog = NULL;
  orr_code rc = create(w, o, &d);
  ORR_TRY_GOTO(dist_agree(all, rc, "start the watchdog"), stop);
  if (w->grid.ranks > 1) {
    ORR_TRY_GOTO(connect_ranks(d), stop);
    ORR_TRY_GOTO(dist_agree(all, start_thread(d), "start the watchdog"), stop);
  }
  dist_world_met(w);
  *out = d;
  return ORR_OK;
stop:
  dist_watchdog_stop(d);
  return rc;
}

orr_code dist_watchdog_settle(dist_watchdog *d, const char *report, dist_told_fn told, void *ctx) {
  char *copy = orr_strdup(report);
  ORR_CHECK(copy, ORR_ENOMEM, "watchdog: out of memory for a path");
  pthread_mutex_lock(&d->lock);
  char *before = d->report;
  d->report = copy;
  d->told = told;
  d->told_ctx = ctx;
  d->grid = d->world->grid;
  d->strict = true;
  pthread_mutex_unlock(&d->lock);
  orr_free(before);
  return ORR_OK;
}

void dist_watchdog_keep(dist_watchdog *d) {
  if (!d) return;
  pthread_mutex_lock(&d->lock);
  d->strict = false;
  d->told = NULL; // the run that it would tell goes away
  pthread_mutex_unlock(&d->lock);
  d->world->watchdog = d;
}

void dist_watchdog_stop(dist_watchdog *d) {
  if (!d) return;
  atomic_store(&d->stop, true);
  if (d->running) {
    dist_sideband_wake(d->sideband);
    pthread_join(d->thread, NULL);
  }
  dist_sideband_close(d->sideband);
  pthread_mutex_destroy(&d->lock);
  orr_free(d->peers);
  orr_free(d->report);
  orr_free(d);
}
