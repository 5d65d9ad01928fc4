#include "train/live/server.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "train/live/http.h"
#include "train/live/keep.h"
#include "train/live/message.h"
#include "train/live/programs.h"

enum { PING_S = 15, GOODBYE_MS = 500, HELD_MS = 100 };
static const int64_t SECOND = 1000000000;

struct train_live_server {
  train_live_server_options o;
  const train_live_house *house;
  train_live_world *const *worlds;
  int count; // worlds
  train_live_http *http;
  train_live_seat *seat;         // [seats]
  train_live_programs *programs; // NULL = none may come
  struct pollfd *poll;           // [seats + 1 + TRAIN_LIVE_PROGRAMS_POLLS]: seats, HTTP, programs
  int64_t refused, scribe_ns;    // scribe_ns: what a frame for a shard took
  bool scribe_failed;
};

// What a peer's messages are for.
typedef struct {
  train_live_server *server;
  train_live_seat *seat;
} visit;

// -- peers ------------------------------------------------------------------------------------

static void leave(train_live_server *s, train_live_seat *seat) {
  if (!seat->peer) return;
  train_live_keep_end(s->house, seat);
  train_live_peer_destroy(seat->peer);
  train_live_http_end(seat->handle);
  seat->peer = NULL;
  seat->handle = NULL;
  seat->fd = -1;
  train_live_seat_leave(seat);
}

static orr_code take_message(void *ctx, bool text, const uint8_t *bytes, size_t size) {
  visit *v = ctx;
  return train_live_message_take(v->server->house, v->seat, text, bytes, size, orr_clock_ns());
}

static bool is_allowed(void *ctx) {
  const visit *v = ctx;
  return train_live_seat_allows(v->seat, orr_clock_ns());
}

static train_live_seat *free_seat(train_live_server *s) {
  for (int64_t i = 0; i < s->o.seats; i++)
    if (!train_live_seat_is_taken(&s->seat[i])) return &s->seat[i];
  return NULL;
}

static orr_code say_to_page(void *ctx, bool text, const void *bytes, size_t size) {
  const train_live_seat *seat = ctx;
  return train_live_peer_say(seat->peer, text, bytes, size);
}

static void show_to_page(void *ctx, train_wire_frame *f, const uint8_t *pixels) {
  const train_live_seat *seat = ctx;
  uint8_t *to = train_live_peer_frame(seat->peer, f->world);
  f->missed = train_live_peer_missed(seat->peer);
  train_wire_write_frame(f, to);
  memcpy(to + TRAIN_WIRE_FRAME_HEADER, pixels, (size_t)(f->width * f->height * 3));
  train_live_peer_send_frame(seat->peer, f->world);
}

// The simulator is one to look at.
static int shown_worlds(const train_live_server *s) {
  return s->count + s->house->simulate;
}

static orr_code seat_peer(train_live_server *s, train_live_seat *seat, int fd, const void *extra,
                          size_t extra_bytes, visit *v) {
  const int64_t now = orr_clock_ns();
  *v = (visit){s, seat};
  ORR_TRY(train_live_peer_create(
      &(train_live_peer_options){.fd = fd,
                                 .extra = extra,
                                 .extra_bytes = extra_bytes,
                                 .most_message = train_live_message_most(seat),
                                 .frame_bytes = s->worlds[0]->frame_bytes + TRAIN_WIRE_FRAME_HEADER,
                                 .worlds = shown_worlds(s),
                                 .allows = is_allowed,
                                 .message = take_message,
                                 .ctx = v},
      &seat->peer));
  seat->fd = fd;
  train_live_seat_take(seat, (train_live_voice){seat, say_to_page, show_to_page}, now);
  json_t *hello = train_live_control_hello(s->house, seat);
  char *text = hello ? json_dumps(hello, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
  json_decref(hello);
  ORR_CHECK(text, ORR_ENOMEM, "play: out of memory");
  const orr_code rc = train_live_peer_say(seat->peer, true, text, strlen(text));
  free(text);
  return rc;
}

// Somebody for whom there is no place is told so, as far as one write goes.
static void turn_away(train_live_server *s, int fd, void *handle) {
  train_live_peer *p = NULL;
  static const char words[] =
      "{\"say\":\"error\",\"code\":\"busy\",\"words\":\"every place is taken: try again later\"}";
  s->refused++;
  if (train_live_peer_create(&(train_live_peer_options){.fd = fd, .most_message = 1}, &p) ==
      ORR_OK) {
    (void)train_live_peer_say(p, true, words, sizeof words - 1);
    train_live_peer_close(p, 1013, "busy");
    (void)train_live_peer_write(p);
  }
  train_live_peer_destroy(p);
  train_live_http_end(handle);
}

static void taken(void *ctx, int fd, const void *extra, size_t extra_bytes, void *handle) {
  train_live_server *s = ctx;
  train_live_seat *seat = free_seat(s);
  if (!seat) {
    turn_away(s, fd, handle);
    return;
  }
  seat->handle = handle;
  if (seat_peer(s, seat, fd, extra, extra_bytes, seat->visit) == ORR_OK) return;
  ORR_WARN("play: %s", orr_status_message());
  if (seat->peer)
    leave(s, seat);
  else
    train_live_http_end(handle);
}

// -- life -------------------------------------------------------------------------------------

static orr_code make_simulator(train_live_server *s, train_live_seat *seat) {
  const train_live_world *w = s->worlds[0];
  if (!s->house->simulate) return ORR_OK;
  seat->simulator = orr_calloc(1, sizeof *seat->simulator);
  ORR_CHECK(seat->simulator, ORR_ENOMEM, "play: out of memory");
  return train_live_simulator_create(seat->simulator, w->height, w->width, s->house->fps);
}

static orr_code make_seats(train_live_server *s) {
  s->seat = orr_calloc((size_t)s->o.seats, sizeof *s->seat);
  s->poll = orr_calloc((size_t)s->o.seats + 1 + TRAIN_LIVE_PROGRAMS_POLLS, sizeof *s->poll);
  ORR_CHECK(s->seat && s->poll, ORR_ENOMEM, "play: out of memory");
  for (int64_t i = 0; i < s->o.seats; i++) {
    train_live_seat *seat = &s->seat[i];
    seat->fd = -1;
    seat->fps = s->house->fps;
    seat->visit = orr_calloc(1, sizeof(visit));
    seat->picture = orr_malloc(s->worlds[0]->frame_bytes);
    ORR_CHECK(seat->visit && seat->picture, ORR_ENOMEM, "play: out of memory");
    ORR_TRY(make_simulator(s, seat));
    ORR_TRY(train_live_reel_create(&seat->reel, s->worlds[0]->height, s->worlds[0]->width,
                                   shown_worlds(s), s->o.film_bytes));
    ORR_TRY(train_live_session_create(s->worlds, s->count, (int32_t)i, s->o.snapshot_bytes,
                                      &seat->session));
  }
  return ORR_OK;
}

orr_code train_live_server_create(const train_live_server_options *o, const train_live_house *h,
                                  train_live_world *const *worlds, int count,
                                  train_live_server **out) {
  orr_code rc;
  train_live_server *s = orr_calloc(1, sizeof *s);
  ORR_CHECK(s, ORR_ENOMEM, "play: out of memory");
  *s = (train_live_server){.o = *o, .house = h, .worlds = worlds, .count = count};
  ORR_TRY_GOTO(make_seats(s), fail);
  ORR_TRY_GOTO(
      train_live_http_create(
          &(train_live_http_options){
              .address = o->address, .port = o->port, .host = o->host, .taken = taken, .ctx = s},
          &s->http),
      fail);
  if (o->programs)
    ORR_TRY_GOTO(train_live_programs_create(o->programs, h, s->seat, o->seats, &s->programs), fail);
  *out = s;
  return ORR_OK;
fail:
  train_live_server_destroy(s);
  return rc;
}

void train_live_server_destroy(train_live_server *s) {
  if (!s) return;
  train_live_programs_destroy(s->programs);
  for (int64_t i = 0; s->seat && i < s->o.seats; i++) {
    leave(s, &s->seat[i]);
    train_live_session_release(&s->seat[i].session);
    train_live_reel_release(&s->seat[i].reel);
    if (s->seat[i].simulator) train_live_simulator_release(s->seat[i].simulator);
    orr_free(s->seat[i].simulator);
    orr_free(s->seat[i].picture);
    orr_free(s->seat[i].visit);
  }
  train_live_http_destroy(s->http);
  orr_free(s->poll);
  orr_free(s->seat);
  orr_free(s);
}

const char *train_live_server_url(const train_live_server *s, int i) {
  return train_live_http_url(s->http, i);
}

// -- the loop ---------------------------------------------------------------------------------

static void write_to(train_live_server *s, train_live_seat *seat) {
  if (seat->peer && train_live_peer_write(seat->peer) != ORR_OK) leave(s, seat);
}

static void read_from(train_live_server *s, train_live_seat *seat) {
  if (train_live_peer_read(seat->peer) != ORR_OK) {
    leave(s, seat);
    return;
  }
  write_to(s, seat);
  if (seat->peer && train_live_peer_is_over(seat->peer)) leave(s, seat);
}

// Pings, and the end of those who do not answer or have nothing to say.
static void look_after(train_live_server *s, train_live_seat *seat, int64_t now) {
  if (!seat->peer) return;
  if (train_live_peer_is_over(seat->peer)) {
    leave(s, seat);
    return;
  }
  if (now - seat->heard_ns > s->o.idle_s * SECOND && !train_live_peer_is_closing(seat->peer)) {
    (void)train_live_keep_part(seat, "idle", "nothing was heard for too long: goodbye");
    train_live_peer_close(seat->peer, 1000, "idle");
    write_to(s, seat);
    return;
  }
  if (now - seat->pinged_ns < PING_S * SECOND) return;
  seat->pinged_ns = now;
  if (train_live_peer_ping(seat->peer) != ORR_OK) leave(s, seat);
}

static int64_t next_due(const train_live_server *s) {
  int64_t due = INT64_MAX;
  for (int64_t i = 0; i < s->o.seats; i++)
    if (train_live_seat_is_taken(&s->seat[i])) {
      const int64_t its = train_live_seat_due(&s->seat[i]);
      if (its < due) due = its;
    }
  return due;
}

// Waits for something to come, until `until` at the latest, and takes what has come.
static orr_code take_what_came(train_live_server *s, int64_t until) {
  const int64_t n = s->o.seats, now = orr_clock_ns();
  int64_t wait_ms = until == INT64_MAX ? HELD_MS : (until - now + 999999) / 1000000;
  const int64_t http_ms = train_live_http_timeout_ms(s->http);
  if (http_ms >= 0 && http_ms < wait_ms) wait_ms = http_ms;
  if (wait_ms > HELD_MS) wait_ms = HELD_MS;
  if (wait_ms < 0 || (s->programs && train_live_programs_have_more(s->programs))) wait_ms = 0;
  for (int64_t i = 0; i < n; i++) {
    const train_live_seat *seat = &s->seat[i];
    s->poll[i] = (struct pollfd){.fd = seat->peer ? seat->fd : -1, .events = POLLIN};
    if (seat->peer && train_live_peer_wants_to_write(seat->peer)) s->poll[i].events |= POLLOUT;
  }
  s->poll[n] = (struct pollfd){.fd = train_live_http_fd(s->http), .events = POLLIN};
  const int64_t programs = s->programs ? TRAIN_LIVE_PROGRAMS_POLLS : 0;
  if (programs) train_live_programs_watch(s->programs, s->poll + n + 1);
  const int got = poll(s->poll, (nfds_t)(n + 1 + programs), (int)wait_ms);
  ORR_CHECK(got >= 0 || errno == EINTR, ORR_EIO, "play: poll: %s", strerror(errno));
  for (int64_t i = 0; got > 0 && i < n; i++) {
    if (!s->poll[i].revents || !s->seat[i].peer) continue;
    if (s->poll[i].revents & (POLLIN | POLLERR | POLLHUP))
      read_from(s, &s->seat[i]);
    else
      write_to(s, &s->seat[i]);
  }
  train_live_http_run(s->http);
  if (got >= 0 && programs) train_live_programs_serve(s->programs, s->poll + n + 1);
  return ORR_OK;
}

// The seats whose frame is due, at most one number of passes; the one that waits longest decides
// it.
static int64_t gather_due(train_live_server *s, int64_t now, train_live_seat **out) {
  int64_t n = 0, steps = 0, oldest = INT64_MAX;
  for (int64_t i = 0; i < s->o.seats; i++) {
    const train_live_seat *seat = &s->seat[i];
    const int64_t due = train_live_seat_is_taken(seat) ? train_live_seat_due(seat) : INT64_MAX;
    if (due > now || due >= oldest) continue;
    oldest = due;
    steps = seat->session.record.settings.steps;
  }
  for (int64_t i = 0; i < s->o.seats && steps; i++) {
    train_live_seat *seat = &s->seat[i];
    if (train_live_seat_is_taken(seat) && train_live_seat_due(seat) <= now &&
        seat->session.record.settings.steps == steps)
      out[n++] = seat;
  }
  return n;
}

static void show(train_live_server *s, train_live_seat *seat, bool unseen, bool was_ahead) {
  const int64_t now = orr_clock_ns();
  const bool there = !train_live_session_catching_up(&seat->session);
  seat->served_ns = now;
  if (unseen && !there) return;
  train_live_seat_show(seat, was_ahead ? TRAIN_WIRE_AHEAD : 0, now);
  write_to(s, seat);
  if (seat->session.replays && there) (void)train_live_keep_replayed(seat);
}

// A session whose record is full stands still: it can be kept, and gone back in.
static void halt_full(train_live_seat *seat) {
  if (!seat->ready || train_live_session_catching_up(&seat->session)) return;
  if ((!seat->running && !seat->frames_asked) || !train_record_is_full(&seat->session.record))
    return;
  seat->running = false;
  seat->frames_asked = 0;
  (void)train_live_control_error(
      seat, "full", "the session is as long as one may be: keep it, and begin another");
}

static orr_code decode_due(train_live_server *s, int64_t now) {
  train_live_seat *due[TRAIN_LIVE_SESSIONS_MAX];
  train_live_session *session[TRAIN_LIVE_SESSIONS_MAX];
  bool unseen[TRAIN_LIVE_SESSIONS_MAX], ahead[TRAIN_LIVE_SESSIONS_MAX];
  for (int64_t i = 0; i < s->o.seats; i++) halt_full(&s->seat[i]);
  const int64_t n = gather_due(s, now, due);
  if (!n) return ORR_OK;
  for (int64_t i = 0; i < n; i++) {
    (void)train_live_control_hear(s->house, due[i], now);
    session[i] = &due[i]->session;
    unseen[i] = train_live_seat_is_hidden(due[i]);
    ahead[i] = session[i]->ahead;
  }
  ORR_TRY(train_live_session_step(session, n));
  for (int64_t i = 0; i < n; i++)
    show(s, due[i], unseen[i], ahead[i] && session[i]->decode_ms == 0.0);
  if (s->programs) train_live_programs_write(s->programs);
  return train_live_session_settle(session, n);
}

// Idle time: the next frames of those that hold their action.
static orr_code look_ahead(train_live_server *s) {
  train_live_session *session[TRAIN_LIVE_SESSIONS_MAX];
  int64_t n = 0, steps = 0;
  for (int64_t i = 0; i < s->o.seats; i++) {
    train_live_seat *seat = &s->seat[i];
    if (!seat->ready || !seat->running || seat->session.ahead) continue;
    if (seat->by_input && !seat->holds) continue; // what comes next is likely to be another
    if (train_live_session_catching_up(&seat->session)) continue;
    if (seat->sound.kind == TRAIN_LIVE_SOUND_STREAM) continue; // nobody knows what will be said
    if (n && seat->session.record.settings.steps != steps) continue;
    steps = seat->session.record.settings.steps;
    (void)train_live_control_hear(s->house, seat, orr_clock_ns());
    session[n++] = &seat->session;
  }
  return n ? train_live_session_look_ahead(session, n) : ORR_OK;
}

static void send_films(train_live_server *s) {
  train_live_film f;
  if (!train_live_projector_take(s->house->projector, &f)) return;
  train_live_seat *seat = f.owner;
  if (seat && train_live_keep_film_made(seat, &f) == ORR_OK) write_to(s, seat);
  orr_free(f.film);
}

// Idle time that nobody's next frame wants: a frame of a session that becomes a shard. Says whether
// there are more.
static bool write_down(train_live_server *s) {
  train_live_scribe *scribe = s->house->scribe;
  const int64_t begin = orr_clock_ns();
  bool more = false, alone = true;
  if (!scribe || s->scribe_failed || next_due(s) - begin < 2 * s->scribe_ns) return false;
  for (int64_t i = 0; i < s->o.seats; i++) alone = alone && !train_live_seat_is_taken(&s->seat[i]);
  if (train_live_scribe_work(scribe, alone, &more) != ORR_OK) {
    ORR_WARN("play: sessions do not become shards any more: %s", orr_status_message());
    s->scribe_failed = true;
  }
  s->scribe_ns = orr_clock_ns() - begin;
  return more && !s->scribe_failed;
}

// What the simulators show comes after what the models do. Says whether one is still on its way.
static bool simulate(train_live_server *s) {
  bool any = false;
  for (int64_t i = 0; i < s->o.seats && s->house->simulate; i++) {
    train_live_seat *seat = &s->seat[i];
    bool more = false;
    if (train_live_seat_simulate(seat, &more) != ORR_OK)
      (void)train_live_control_error(seat, "wish", orr_status_message());
    any = any || more;
    write_to(s, seat);
  }
  return any;
}

static void say_goodbye(train_live_server *s) {
  const int64_t until = orr_clock_ns() + GOODBYE_MS * 1000000;
  for (int64_t i = 0; i < s->o.seats; i++) {
    train_live_seat *seat = &s->seat[i];
    if (!seat->peer) continue;
    (void)train_live_keep_part(seat, "goodbye", "the server is being stopped");
    train_live_peer_close(seat->peer, 1001, "goodbye");
    write_to(s, seat);
  }
  if (s->programs) train_live_programs_end(s->programs, "goodbye", "the server is being stopped");
  for (bool some = true; some && orr_clock_ns() < until;) {
    if (take_what_came(s, orr_clock_ns() + 20000000) != ORR_OK) return;
    some = false;
    for (int64_t i = 0; i < s->o.seats; i++) some = some || s->seat[i].peer;
  }
}

orr_code train_live_server_run(train_live_server *s, bool (*stop)(void)) {
  while (!stop()) {
    const int64_t due = next_due(s), now = orr_clock_ns();
    // what has come is looked at before idle time is used up
    ORR_TRY(take_what_came(s, s->o.ahead || s->house->scribe ? now : due));
    if (next_due(s) <= orr_clock_ns()) {
      ORR_TRY(decode_due(s, orr_clock_ns()));
      (void)simulate(s);
    } else {
      if (s->o.ahead) ORR_TRY(look_ahead(s));
      const bool more = write_down(s) || simulate(s);
      ORR_TRY(take_what_came(s, more ? orr_clock_ns() : next_due(s)));
    }
    send_films(s);
    const int64_t after = orr_clock_ns();
    for (int64_t i = 0; i < s->o.seats; i++) look_after(s, &s->seat[i], after);
  }
  say_goodbye(s);
  return ORR_OK;
}
