#include "train/live/program.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "train/live/keep.h"
#include "train/live/message.h"
#include "train/live/shared.h"

enum {
  HEADER = 8,
  WORDS = 0, // kinds
  BYTES = 1,
  PLACES = 2,            // of shared memory, in turns
  MOST_QUEUED = 4 << 20, // bytes of words that nobody reads
};
static const int64_t TURN_NS = 20000000, SILENT_NS = 10000000000;

// One session of the program.
typedef struct {
  train_live_program *program;
  train_live_seat *seat;
  int number;
  uint8_t *frame[TRAIN_LIVE_WORLDS]; // the newest message of each world, with its header
  bool waits[TRAIN_LIVE_WORLDS];     // it has not gone out
  int place[TRAIN_LIVE_WORLDS];      // of its pixels
  uint32_t missed;
} channel;

struct train_live_program {
  train_live_program_options o;
  int64_t since_ns;
  uint8_t *in;
  size_t in_used, in_room;
  uint8_t *out;
  size_t out_at, out_used, out_room;
  channel *channel; // [channels], NULL before the greeting
  int channels, worlds;
  size_t slot_bytes;        // of a frame's message
  bool heads;               // the model has heads on registers: frames come with what they say
  train_live_shared shared; // none = pixels go in the messages
  int pass_fd;              // goes out with the next bytes; -1 = none
  bool closing;
};

static void put32(uint8_t *p, uint32_t v) {
  for (int i = 0; i < 4; i++) p[i] = (uint8_t)(v >> (8 * i));
}

static uint32_t get32(const uint8_t *p) {
  return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void put_header(uint8_t *to, size_t size, int kind, int session) {
  put32(to, (uint32_t)size);
  put32(to + 4, (uint32_t)kind | (uint32_t)session << 16);
}

// -- life -------------------------------------------------------------------------------------

orr_code train_live_program_create(const train_live_program_options *o, int64_t now_ns,
                                   train_live_program **out) {
  train_live_program *p = orr_calloc(1, sizeof *p);
  if (!p) close(o->fd);
  ORR_CHECK(p, ORR_ENOMEM, "program: out of memory");
  *p = (train_live_program){.o = *o, .since_ns = now_ns, .pass_fd = -1};
  p->in_room = HEADER + train_live_message_most(&o->seat[0]);
  p->in = orr_malloc(p->in_room);
  if (!p->in) train_live_program_destroy(p);
  ORR_CHECK(p->in, ORR_ENOMEM, "program: out of memory");
  *out = p;
  return ORR_OK;
}

static void leave_seat(const train_live_program *p, train_live_seat *seat) {
  train_live_keep_end(p->o.house, seat);
  train_live_seat_leave(seat);
}

void train_live_program_destroy(train_live_program *p) {
  if (!p) return;
  for (int i = 0; i < p->channels; i++) {
    if (p->channel[i].seat) leave_seat(p, p->channel[i].seat);
    for (int w = 0; w < TRAIN_LIVE_WORLDS; w++) orr_free(p->channel[i].frame[w]);
  }
  train_live_shared_release(&p->shared);
  if (p->pass_fd >= 0) close(p->pass_fd);
  close(p->o.fd);
  orr_free(p->channel);
  orr_free(p->out);
  orr_free(p->in);
  orr_free(p);
}

int train_live_program_fd(const train_live_program *p) {
  return p->o.fd;
}

bool train_live_program_is_silent(const train_live_program *p, int64_t now_ns) {
  return !p->channel && now_ns - p->since_ns > SILENT_NS;
}

// -- what goes out ----------------------------------------------------------------------------

static size_t left_to_write(const train_live_program *p) {
  return p->out_used - p->out_at;
}

static orr_code make_room(train_live_program *p, size_t size) {
  if (p->out_at) {
    memmove(p->out, p->out + p->out_at, left_to_write(p));
    p->out_used -= p->out_at;
    p->out_at = 0;
  }
  if (p->out_used + size <= p->out_room) return ORR_OK;
  uint8_t *out = orr_realloc(p->out, p->out_used + size);
  ORR_CHECK(out, ORR_ENOMEM, "program: out of memory");
  p->out = out;
  p->out_room = p->out_used + size;
  return ORR_OK;
}

static orr_code say(train_live_program *p, int session, bool text, const void *bytes, size_t size) {
  ORR_CHECK(left_to_write(p) + size <= MOST_QUEUED || left_to_write(p) == 0, ORR_EIO,
            "program: it does not read what it is told");
  ORR_TRY(make_room(p, HEADER + size));
  put_header(p->out + p->out_used, size, text ? WORDS : BYTES, session);
  memcpy(p->out + p->out_used + HEADER, bytes, size);
  p->out_used += HEADER + size;
  return ORR_OK;
}

static orr_code say_to_channel(void *ctx, bool text, const void *bytes, size_t size) {
  const channel *c = ctx;
  return say(c->program, c->number, text, bytes, size);
}

// Of shared memory, for the pixels of a frame.
static size_t place_bytes(const train_live_program *p) {
  return (p->o.seat[0].session.world[0]->frame_bytes + 63) / 64 * 64;
}

static size_t place_of(const channel *c, int world) {
  const int at = (c->number * c->program->worlds + world) * PLACES + c->place[world];
  return (size_t)at * place_bytes(c->program);
}

static void show_to_channel(void *ctx, train_wire_frame *f, const uint8_t *pixels) {
  channel *c = ctx;
  train_live_program *p = c->program;
  uint8_t *to = c->frame[f->world] + HEADER;
  if (c->waits[f->world])
    c->missed++; // its place is the newer one's
  else
    c->place[f->world] = (c->place[f->world] + 1) % PLACES;
  f->missed = c->missed;
  if (p->shared.at) f->flags |= TRAIN_WIRE_SHARED;
  if (p->heads) f->flags |= TRAIN_WIRE_OUTCOME;
  train_wire_write_frame(f, to);
  const size_t bytes = (size_t)(f->width * f->height * 3);
  if (p->shared.at) {
    const size_t at = place_of(c, f->world);
    memcpy(p->shared.at + at, pixels, bytes);
    put32(to + TRAIN_WIRE_FRAME_HEADER, (uint32_t)at);
    put32(to + TRAIN_WIRE_FRAME_HEADER + 4, (uint32_t)((uint64_t)at >> 32));
  } else {
    memcpy(to + TRAIN_WIRE_FRAME_HEADER, pixels, bytes);
  }
  if (p->heads)
    train_wire_write_outcome(f, to + TRAIN_WIRE_FRAME_HEADER + (p->shared.at ? 8 : bytes));
  c->waits[f->world] = true;
}

// All frames that wait, once everything before them is out.
static orr_code queue_frames(train_live_program *p) {
  if (left_to_write(p)) return ORR_OK;
  for (int i = 0; i < p->channels; i++)
    for (int w = 0; w < p->worlds; w++) {
      if (!p->channel[i].waits[w]) continue;
      ORR_TRY(make_room(p, p->slot_bytes));
      memcpy(p->out + p->out_used, p->channel[i].frame[w], p->slot_bytes);
      p->out_used += p->slot_bytes;
      p->channel[i].waits[w] = false;
    }
  return ORR_OK;
}

// One piece; the descriptor of shared memory goes with the first one after the greeting.
static ssize_t write_piece(train_live_program *p) {
  struct iovec piece = {p->out + p->out_at, left_to_write(p)};
  struct msghdr m = {.msg_iov = &piece, .msg_iovlen = 1};
  union {
    struct cmsghdr head;
    char room[CMSG_SPACE(sizeof(int))];
  } extra = {0};
  if (p->pass_fd >= 0) {
    m.msg_control = extra.room;
    m.msg_controllen = sizeof extra.room;
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &p->pass_fd, sizeof(int));
  }
  ssize_t n;
  do n = sendmsg(p->o.fd, &m, MSG_NOSIGNAL);
  while (n < 0 && errno == EINTR);
  if (n > 0 && p->pass_fd >= 0) {
    close(p->pass_fd);
    p->pass_fd = -1;
  }
  return n;
}

bool train_live_program_wants_to_write(const train_live_program *p) {
  bool waits = left_to_write(p) > 0;
  for (int i = 0; i < p->channels && !waits; i++)
    for (int w = 0; w < p->worlds; w++) waits = waits || p->channel[i].waits[w];
  return waits;
}

orr_code train_live_program_write(train_live_program *p) {
  for (;;) {
    if (!p->closing) ORR_TRY(queue_frames(p));
    if (!left_to_write(p)) break;
    const ssize_t n = write_piece(p);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
    ORR_CHECK(n > 0, ORR_EIO, "program: the other end is gone");
    p->out_at += (size_t)n;
  }
  // last words go as far as one attempt does
  ORR_CHECK(!p->closing, ORR_EIO, "program: the connection has been ended");
  return ORR_OK;
}

static void end_with(train_live_program *p, int session, const char *code, const char *words) {
  json_t *j = json_pack("{s:s, s:s, s:s}", "say", "error", "code", code, "words", words);
  char *text = j ? json_dumps(j, JSON_COMPACT) : NULL;
  if (text) (void)say(p, session, true, text, strlen(text));
  free(text);
  json_decref(j);
  p->closing = true;
}

void train_live_program_bid_farewell(train_live_program *p, const char *code, const char *words) {
  end_with(p, 0, code, words);
}

// -- the greeting -----------------------------------------------------------------------------

static orr_code take_seats(train_live_program *p, int64_t wanted, int64_t now_ns) {
  int64_t free_ones = 0;
  for (int64_t i = 0; i < p->o.seats; i++) free_ones += !train_live_seat_is_taken(&p->o.seat[i]);
  ORR_CHECK(wanted <= free_ones, ORR_EBUSY,
            "%" PRId64 " sessions are asked for, %" PRId64 " of %" PRId64
            " are free: orrery play --sessions N makes places",
            wanted, free_ones, p->o.seats);
  p->channel = orr_calloc((size_t)wanted, sizeof *p->channel);
  ORR_CHECK(p->channel, ORR_ENOMEM, "program: out of memory");
  for (int64_t i = 0; i < p->o.seats && p->channels < wanted; i++) {
    train_live_seat *seat = &p->o.seat[i];
    if (train_live_seat_is_taken(seat)) continue;
    channel *c = &p->channel[p->channels];
    *c = (channel){.program = p, .seat = seat, .number = p->channels++};
    train_live_seat_take(seat, (train_live_voice){c, say_to_channel, show_to_channel}, now_ns);
  }
  return ORR_OK;
}

static orr_code take_slots(train_live_program *p, bool shared) {
  const train_live_seat *first = p->channel[0].seat;
  p->worlds = first->session.worlds + (first->simulator != NULL);
  const size_t pixels = shared ? 8 : p->channel[0].seat->session.world[0]->frame_bytes;
  p->heads = train_registers_any(&first->session.world[0]->m.dynamics->dynamics);
  p->slot_bytes =
      HEADER + TRAIN_WIRE_FRAME_HEADER + pixels + (p->heads ? (size_t)TRAIN_WIRE_FRAME_OUTCOME : 0);
  for (int i = 0; i < p->channels; i++)
    for (int w = 0; w < p->worlds; w++) {
      uint8_t *slot = orr_malloc(p->slot_bytes);
      ORR_CHECK(slot, ORR_ENOMEM, "program: out of memory");
      put_header(slot, p->slot_bytes - HEADER, BYTES, i);
      p->channel[i].frame[w] = slot;
    }
  const size_t places = (size_t)(p->channels * p->worlds * PLACES);
  return shared ? train_live_shared_create(places * place_bytes(p), &p->shared, &p->pass_fd)
                : ORR_OK;
}

static orr_code read_greeting(train_live_program *p, const json_t *j, int64_t *sessions,
                              bool *shared) {
  const char *word = json_string_value(json_object_get(j, "do"));
  const json_t *n = json_object_get(j, "sessions");
  ORR_CHECK(word && strcmp(word, "hello") == 0, ORR_EFORMAT,
            "wanted {\"do\": \"hello\", \"protocol\": %d} first", TRAIN_LIVE_PROTOCOL);
  ORR_CHECK(json_integer_value(json_object_get(j, "protocol")) == TRAIN_LIVE_PROTOCOL,
            ORR_EUNSUPPORTED, "this server speaks protocol %d", TRAIN_LIVE_PROTOCOL);
  *sessions = n ? json_integer_value(n) : 1;
  ORR_CHECK((!n || json_is_integer(n)) && *sessions >= 1 && *sessions <= TRAIN_LIVE_SESSIONS_MAX,
            ORR_EFORMAT, "\"sessions\": wanted a whole number from 1 to %d",
            TRAIN_LIVE_SESSIONS_MAX);
  *shared = json_is_true(json_object_get(j, "shared"));
  ORR_CHECK(!*shared || p->o.local, ORR_EFORMAT,
            "\"shared\": frames through memory need a UNIX socket");
  return ORR_OK;
}

static orr_code greet(train_live_program *p, const uint8_t *bytes, size_t size, int64_t now_ns) {
  int64_t sessions = 0;
  bool shared = false;
  json_t *j = json_loadb((const char *)bytes, size, JSON_REJECT_DUPLICATES, NULL);
  const orr_code rc = read_greeting(p, j, &sessions, &shared);
  json_decref(j);
  ORR_TRY(rc);
  ORR_TRY(take_seats(p, sessions, now_ns));
  ORR_TRY(take_slots(p, shared));
  json_t *hello = train_live_control_hello(p->o.house, p->channel[0].seat);
  ORR_CHECK(hello, ORR_ENOMEM, "program: out of memory");
  json_object_set_new(hello, "sessions", json_integer(p->channels));
  json_object_set_new(hello, "shared", json_integer((json_int_t)p->shared.bytes));
  char *text = json_dumps(hello, JSON_COMPACT | JSON_REAL_PRECISION(9));
  json_decref(hello);
  ORR_CHECK(text, ORR_ENOMEM, "program: out of memory");
  const orr_code said = say(p, 0, true, text, strlen(text));
  free(text);
  return said;
}

// -- what comes in ----------------------------------------------------------------------------

static orr_code read_some(train_live_program *p) {
  ssize_t n;
  if (p->in_used == p->in_room) return ORR_OK;
  do n = recv(p->o.fd, p->in + p->in_used, p->in_room - p->in_used, 0);
  while (n < 0 && errno == EINTR);
  if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return ORR_OK;
  ORR_CHECK(n > 0, ORR_EIO, "program: the other end is gone");
  p->in_used += (size_t)n;
  return ORR_OK;
}

static const char *code_of(orr_code rc) {
  switch (rc) {
  case ORR_EFORMAT:
    return "format";
  case ORR_EUNSUPPORTED:
    return "protocol";
  case ORR_EBUSY:
    return "busy";
  default:
    return "fault";
  }
}

static orr_code do_message(train_live_program *p, const uint8_t *header, size_t size) {
  const int kind = header[4], session = header[6] | header[7] << 8;
  const int64_t now_ns = orr_clock_ns();
  ORR_CHECK(kind <= BYTES && header[5] == 0, ORR_EFORMAT, "a message of kind %d: wanted 0 or 1",
            kind);
  ORR_CHECK(session < p->channels || (!p->channel && session == 0 && kind == WORDS), ORR_EFORMAT,
            "a message of session %d: there are %d", session, p->channels);
  if (!p->channel) return greet(p, header + HEADER, size, now_ns);
  return train_live_message_take(p->o.house, p->channel[session].seat, kind == WORDS,
                                 header + HEADER, size, now_ns);
}

// Bytes of the message that begins at `at`, with its header; 0 where it has not come in whole.
static size_t whole_message(const train_live_program *p, size_t at) {
  if (p->in_used - at < HEADER) return 0;
  const size_t size = HEADER + (size_t)get32(p->in + at);
  return p->in_used - at >= size ? size : 0;
}

static bool is_too_long(const train_live_program *p, size_t at) {
  return p->in_used - at >= HEADER && get32(p->in + at) > p->in_room - HEADER;
}

bool train_live_program_has_more(const train_live_program *p) {
  return !p->closing && whole_message(p, 0) > 0;
}

orr_code train_live_program_read(train_live_program *p) {
  const int64_t until = orr_clock_ns() + TURN_NS;
  size_t at = 0, size;
  ORR_TRY(read_some(p));
  while (!p->closing && (size = whole_message(p, at)) > 0) {
    const int session = p->in[at + 6] | p->in[at + 7] << 8;
    const orr_code rc = do_message(p, p->in + at, size - HEADER);
    if (rc != ORR_OK) end_with(p, session, code_of(rc), orr_status_message());
    at += size;
    if (orr_clock_ns() >= until) break;
  }
  if (!p->closing && is_too_long(p, at))
    end_with(p, 0, "format", "a message that is longer than any may be");
  memmove(p->in, p->in + at, p->in_used - at);
  p->in_used -= at;
  return ORR_OK;
}
