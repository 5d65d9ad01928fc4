// `orrery play`: serves a page in which a person acts in a world (docs/play.md). Local.
#include "train/cli/cmd.h"

#include <inttypes.h>
#include <string.h>

#include "base/args.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "train/cli/play_policy.h"
#include "train/live/house.h"
#include "train/live/record_file.h"
#include "train/live/server.h"
#include "train/run/stop.h"
#include "train/setup/remote_data.h"

static const orr_option options[] = {
    {"data", "DIR|URL", "data set with frames that sessions begin from; may be given several times",
     ORR_OPTION_REPEATED},
    {"port", "N", "port to listen on; 0 = any that is free (default 8642)", 0},
    {"bind", "ADDRESS", "address to listen on (default 127.0.0.1); others need the printed token",
     0},
    {"host", "NAME", "a name that this server is called by, behind a proxy", 0},
    {"socket", "PATH|ADDRESS:PORT", "programs connect here: a UNIX socket, or TCP on loopback", 0},
    {"sessions", "N", "sessions at once (default 4)", 0},
    {"record", "DIR", "make a data set of the sessions there: one that one can train on", 0},
    {"replay", "FILE", "a session file to play again", 0},
    {"anyway", NULL, "play sessions of other checkpoints, too, whose frames will differ", 0},
    {"beside", "CHECKPOINT",
     "a second world under the same keys; simulator: the scene that made the clip", 0},
    {"fps", "X", "frames a second (default: those of the data)", 0},
    {"no-ahead", NULL, "do not decode frames ahead while an action is held", 0},
    {"idle", "S", "a page that says nothing for so long is let go (default 300)", 0},
    TRAIN_WORLD_MODEL_OPTIONS,
    TRAIN_REMOTE_OPTION,
    TRAIN_PLAY_POLICY_OPTIONS{0}};
static const orr_command command = {
    "play", "RUN", 1, 1, "Serves a page in which you act in a world.", options};

enum { SNAPSHOT_BYTES = 64 << 20, FILM_BYTES = 24 << 20, AHEAD = 1 };

typedef struct {
  train_live_server_options o;
  train_live_world world[TRAIN_LIVE_WORLDS], *worlds[TRAIN_LIVE_WORLDS];
  int count;
  data_remote *remote;
  train_live_furnished house;
  char *replay; // the session file
  train_live_projector *projector;
  train_live_scribe *scribe;
  train_live_server *server;
  train_play_policy policy;
} play;

static orr_code read_options(const orr_args *a, play *p) {
  p->o = (train_live_server_options){.address = orr_args_text(a, "bind", "127.0.0.1"),
                                     .host = orr_args_text(a, "host", NULL),
                                     .programs = orr_args_text(a, "socket", NULL),
                                     .port = 8642,
                                     .idle_s = 300,
                                     .seats = 4,
                                     .snapshot_bytes = SNAPSHOT_BYTES,
                                     .film_bytes = FILM_BYTES,
                                     .ahead = !orr_args_flag(a, "no-ahead")};
  ORR_TRY(orr_args_i64(a, "port", 0, 65535, &p->o.port));
  ORR_TRY(orr_args_i64(a, "idle", 1, 1000000, &p->o.idle_s));
  ORR_TRY(train_play_policy_read(a, &p->policy));
  return orr_args_i64(a, "sessions", 1, TRAIN_LIVE_SESSIONS_MAX, &p->o.seats);
}

static orr_code open_worlds(const orr_args *a, play *p) {
  const int64_t scribe = orr_args_text(a, "record", NULL) != NULL;
  const train_live_world_options o = {.sessions = p->o.seats + scribe, .steps = 64, .ahead = AHEAD};
  const char *beside = orr_args_text(a, "beside", NULL);
  p->worlds[0] = &p->world[0];
  p->worlds[1] = &p->world[1];
  p->count = 1;
  ORR_TRY(train_live_world_open(a, a->operand[0], NULL, &o, &p->world[0]));
  if (!beside || strcmp(beside, "simulator") == 0) return ORR_OK;
  p->count = 2;
  ORR_TRY(train_live_world_open(a, beside, train_live_world_kern(&p->world[0]), &o, &p->world[1]));
  ORR_CHECK(p->world[0].frame_bytes == p->world[1].frame_bytes && p->world[0].A == p->world[1].A &&
                p->world[0].S == p->world[1].S &&
                strcmp(p->world[0].tokenizer.s, p->world[1].tokenizer.s) == 0,
            ORR_EINVAL,
            "%s and %s differ in tokenizer, frame or action: they cannot stand side by side",
            a->operand[0], beside);
  return ORR_OK;
}

static orr_code open_simulator(const orr_args *a, train_live_house *h) {
  const char *beside = orr_args_text(a, "beside", "");
  bool any = false;
  if (strcmp(beside, "simulator") != 0) return ORR_OK;
  for (int i = 0; i < h->sets; i++) any = any || h->set[i].scenery.scene;
  ORR_CHECK(any, ORR_EINVAL,
            "--beside simulator: no --data set was made by orrery data generate with a scene that "
            "this build can run");
  h->simulate = true;
  h->names[1] = "simulator";
  return ORR_OK;
}

static orr_code open_house(const orr_args *a, play *p) {
  const char *where[TRAIN_LIVE_SETS + 1];
  int count = 0;
  while (count <= TRAIN_LIVE_SETS && (where[count] = orr_args_nth(a, "data", count))) count++;
  ORR_TRY(train_live_house_open(&p->world[0], where, count, p->remote, &p->house));
  train_live_house *h = &p->house.house;
  h->names[0] = p->world[0].m.dynamics->path;
  h->names[1] = p->count > 1 ? p->world[1].m.dynamics->path : NULL;
  h->steps_most = 64;
  ORR_TRY(open_simulator(a, h));
  h->record_bytes = TRAIN_RECORD_MOST_BYTES;
  return orr_args_f64(a, "fps", 0.1, 1000.0, &h->fps);
}

// Refused here and now where it does not fit, not when a page asks for it.
static orr_code take_replay(play *p, const char *file, size_t size) {
  train_live_session s;
  train_record r;
  ORR_TRY(train_record_read(file, (const uint8_t *)p->replay, size, &r));
  orr_code rc = train_live_session_create(p->worlds, p->count, 0, 1, &s);
  if (rc == ORR_OK) rc = train_live_session_fits(&s, &r, p->house.house.anyway);
  if (rc == ORR_OK) rc = train_live_house_name(&p->house, r.start);
  train_live_session_release(&s);
  train_record_release(&r);
  return rc;
}

static orr_code open_replay(const orr_args *a, play *p) {
  train_live_house *h = &p->house.house;
  const char *file = orr_args_text(a, "replay", NULL);
  h->anyway = orr_args_flag(a, "anyway");
  if (!file) return ORR_OK;
  size_t size = 0;
  ORR_TRY(orr_fs_read_all(file, &p->replay, &size));
  ORR_TRY(take_replay(p, file, size));
  const char *slash = strrchr(file, '/');
  h->replay_name = slash ? slash + 1 : file;
  h->replay = (const uint8_t *)p->replay;
  h->replay_bytes = size;
  return ORR_OK;
}

static orr_code open_scribe(const orr_args *a, play *p) {
  train_live_house *h = &p->house.house;
  const char *dir = orr_args_text(a, "record", NULL);
  if (!dir) return ORR_OK;
  ORR_TRY(train_live_scribe_create(
      &(train_live_scribe_options){.dir = dir,
                                   .slot = (int32_t)p->o.seats,
                                   .name = p->world[0].m.dynamics->c->model.branches.v[h->branch],
                                   .fps = h->fps,
                                   .A = h->A_set,
                                   .action_names = h->action_names},
      &p->world[0], &p->scribe));
  h->scribe = p->scribe;
  return ORR_OK;
}

// What was played becomes a data set, however long it takes; what is stopped here is done the next
// time.
static orr_code finish_scribe(play *p) {
  int64_t frames = 0;
  bool more = p->scribe != NULL;
  while (more) {
    ORR_TRY(train_live_scribe_work(p->scribe, true, &more));
    orr_progress(!more, "play: the sessions become a data set: frame %" PRId64, ++frames);
  }
  return ORR_OK;
}

static orr_code run(const orr_args *a, play *p) {
  ORR_TRY(read_options(a, p));
  ORR_TRY(train_remote_create_args(a, &p->remote));
  ORR_TRY(open_worlds(a, p));
  ORR_TRY(open_house(a, p));
  if (p->policy.o.address) {
    train_stop_install();
    return train_policy_play(&p->policy.o, &p->house.house, p->worlds, p->count,
                             train_stop_requested);
  }
  ORR_TRY(open_replay(a, p));
  ORR_TRY(open_scribe(a, p));
  ORR_TRY(train_live_projector_create(&p->projector));
  p->house.house.projector = p->projector;
  ORR_TRY(train_live_server_create(&p->o, &p->house.house, p->worlds, p->count, &p->server));
  train_stop_install();
  for (int i = 0; train_live_server_url(p->server, i); i++)
    ORR_INFO("play: %s%s", i ? "also " : "", train_live_server_url(p->server, i));
  ORR_TRY(train_live_server_run(p->server, train_stop_requested));
  train_live_server_destroy(p->server); // every session ends
  p->server = NULL;
  ORR_TRY(finish_scribe(p));
  ORR_INFO("play: stopped");
  return ORR_OK;
}

orr_code train_cmd_play(int argc, char **argv) {
  orr_args args;
  ORR_TRY(orr_args_parse(&command, argc, argv, &args));
  if (args.help) return ORR_OK;
  play p = {0};
  const orr_code rc = run(&args, &p);
  train_live_server_destroy(p.server);
  train_play_policy_release(&p.policy);
  train_live_projector_destroy(p.projector);
  train_live_scribe_destroy(p.scribe);
  train_live_house_close(&p.house);
  for (int w = p.count - 1; w >= 0; w--) train_live_world_close(&p.world[w]);
  data_remote_destroy(p.remote);
  orr_free(p.replay);
  return rc;
}
