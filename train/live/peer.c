#include "train/live/peer.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <wslay/wslay.h>

#include "base/clock.h"
#include "base/mem.h"

enum { WORLDS = 2, MOST_QUEUED = 4 << 20, REASON = 123, A_TURN = 65536, LEAST_HELD = 16384 };
static const int64_t CLOSING_NS = 1000000000; // that the closing handshake may take

struct train_live_peer {
  train_live_peer_options o;
  wslay_event_context_ptr ws;
  uint8_t *extra;
  size_t extra_at, extra_bytes;
  uint8_t *frame[WORLDS]; // the newest of each world
  bool waits[WORLDS];     // it has not gone out
  uint32_t missed;
  size_t turn; // bytes that may still be read in this call
  int64_t closing_ns;
  bool gone, closing, said_close;
  uint16_t status; // of the closing handshake
  char why[REASON + 1];
};

static ssize_t read_some(wslay_event_context_ptr ws, uint8_t *to, size_t size, int flags,
                         void *user) {
  train_live_peer *p = user;
  if (p->extra_at < p->extra_bytes) {
    const size_t left = p->extra_bytes - p->extra_at, n = left < size ? left : size;
    memcpy(to, p->extra + p->extra_at, n);
    p->extra_at += n;
    return (ssize_t)n;
  }
  ssize_t n = -1;
  if (size > p->turn) size = p->turn;
  errno = EAGAIN;
  if (size > 0) do
      n = recv(p->o.fd, to, size, 0);
    while (n < 0 && errno == EINTR);
  if (n > 0) {
    p->turn -= (size_t)n;
    return n;
  }
  const bool later = n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
  if (!later) p->gone = true;
  wslay_event_set_error(ws, later ? WSLAY_ERR_WOULDBLOCK : WSLAY_ERR_CALLBACK_FAILURE);
  return -1;
}

static ssize_t write_some(wslay_event_context_ptr ws, const uint8_t *from, size_t size, int flags,
                          void *user) {
  train_live_peer *p = user;
  ssize_t n;
  do n = send(p->o.fd, from, size, MSG_NOSIGNAL | (flags & WSLAY_MSG_MORE ? MSG_MORE : 0));
  while (n < 0 && errno == EINTR);
  if (n >= 0) return n;
  const bool later = errno == EAGAIN || errno == EWOULDBLOCK;
  if (!later) p->gone = true;
  wslay_event_set_error(ws, later ? WSLAY_ERR_WOULDBLOCK : WSLAY_ERR_CALLBACK_FAILURE);
  return -1;
}

static void take_message(wslay_event_context_ptr ws, const struct wslay_event_on_msg_recv_arg *m,
                         void *user) {
  train_live_peer *p = user;
  if (p->closing) return;
  if (p->o.allows && !p->o.allows(p->o.ctx)) {
    train_live_peer_close(p, WSLAY_CODE_POLICY_VIOLATION, "too many messages");
    return;
  }
  if (wslay_is_ctrl_frame(m->opcode)) return;
  const bool text = m->opcode == WSLAY_TEXT_FRAME;
  if (p->o.message(p->o.ctx, text, m->msg, m->msg_length) != ORR_OK)
    train_live_peer_close(p, WSLAY_CODE_POLICY_VIOLATION, orr_status_message());
}

orr_code train_live_peer_create(const train_live_peer_options *o, train_live_peer **out) {
  static const struct wslay_event_callbacks callbacks = {.recv_callback = read_some,
                                                         .send_callback = write_some,
                                                         .on_msg_recv_callback = take_message};
  train_live_peer *p = orr_calloc(1, sizeof *p);
  ORR_CHECK(p, ORR_ENOMEM, "connection: out of memory");
  p->o = *o;
  // what the kernel holds is old when it arrives: a few frames, and the newest waits here
  const int held = (int)(3 * o->frame_bytes > LEAST_HELD ? 3 * o->frame_bytes : LEAST_HELD);
  (void)setsockopt(o->fd, SOL_SOCKET, SO_SNDBUF, &held, sizeof held);
  p->extra_bytes = o->extra_bytes;
  p->extra = orr_malloc(o->extra_bytes);
  bool all = p->extra != NULL;
  for (int w = 0; w < o->worlds && w < WORLDS; w++) {
    p->frame[w] = orr_malloc(o->frame_bytes);
    all = all && p->frame[w];
  }
  if (!all || wslay_event_context_server_init(&p->ws, &callbacks, p) != 0) {
    train_live_peer_destroy(p);
    return ORR_FAIL(ORR_ENOMEM, "connection: out of memory");
  }
  if (o->extra_bytes) memcpy(p->extra, o->extra, o->extra_bytes);
  wslay_event_config_set_max_recv_msg_length(p->ws, o->most_message);
  *out = p;
  return ORR_OK;
}

void train_live_peer_destroy(train_live_peer *p) {
  if (!p) return;
  if (p->ws) wslay_event_context_free(p->ws);
  for (int w = 0; w < WORLDS; w++) orr_free(p->frame[w]);
  orr_free(p->extra);
  orr_free(p);
}

orr_code train_live_peer_read(train_live_peer *p) {
  p->turn = A_TURN;
  const int rc = wslay_event_recv(p->ws);
  if (rc != 0 && !p->gone) (void)wslay_event_send(p->ws); // says which rule was broken
  ORR_CHECK(rc == 0 && !p->gone, ORR_EIO, "connection: the other end is gone");
  return ORR_OK;
}

static size_t queued(const train_live_peer *p) {
  return wslay_event_get_queued_msg_count(p->ws);
}

// One frame at a time: those that wait are looked at when the last one is out.
static orr_code queue_frames(train_live_peer *p) {
  for (int w = 0; w < p->o.worlds && queued(p) == 0 && !p->closing; w++) {
    if (!p->waits[w]) continue;
    const struct wslay_event_msg m = {
        .opcode = WSLAY_BINARY_FRAME, .msg = p->frame[w], .msg_length = p->o.frame_bytes};
    ORR_CHECK(wslay_event_queue_msg(p->ws, &m) == 0, ORR_ENOMEM, "connection: out of memory");
    p->waits[w] = false;
    ORR_CHECK(wslay_event_send(p->ws) == 0 && !p->gone, ORR_EIO,
              "connection: the other end is gone");
  }
  return ORR_OK;
}

// Control frames overtake what is queued: the last words go first.
static orr_code queue_close(train_live_peer *p) {
  if (!p->closing || p->said_close || queued(p)) return ORR_OK;
  p->said_close = true;
  ORR_CHECK(wslay_event_queue_close(p->ws, p->status, (const uint8_t *)p->why, strlen(p->why)) ==
                    0 &&
                wslay_event_send(p->ws) == 0 && !p->gone,
            ORR_EIO, "connection: the other end is gone");
  return ORR_OK;
}

orr_code train_live_peer_write(train_live_peer *p) {
  ORR_CHECK(wslay_event_send(p->ws) == 0 && !p->gone, ORR_EIO, "connection: the other end is gone");
  ORR_TRY(queue_frames(p));
  return queue_close(p);
}

bool train_live_peer_wants_to_write(const train_live_peer *p) {
  if (p->closing && !p->said_close) return true;
  return wslay_event_want_write(p->ws) || ((p->waits[0] || p->waits[1]) && !p->closing);
}

bool train_live_peer_is_over(const train_live_peer *p) {
  if (p->closing && orr_clock_ns() - p->closing_ns > CLOSING_NS) return true;
  return p->gone || (!wslay_event_want_read(p->ws) && !wslay_event_want_write(p->ws)) ||
         (wslay_event_get_close_sent(p->ws) && wslay_event_get_close_received(p->ws));
}

bool train_live_peer_is_closing(const train_live_peer *p) {
  return p->closing;
}

orr_code train_live_peer_say(train_live_peer *p, bool text, const void *bytes, size_t size) {
  if (p->closing) return ORR_OK;
  ORR_CHECK(wslay_event_get_queued_msg_length(p->ws) <= MOST_QUEUED, ORR_EIO,
            "connection: the other end does not read what it is told");
  const struct wslay_event_msg m = {
      .opcode = text ? WSLAY_TEXT_FRAME : WSLAY_BINARY_FRAME, .msg = bytes, .msg_length = size};
  ORR_CHECK(wslay_event_queue_msg(p->ws, &m) == 0, ORR_ENOMEM, "connection: out of memory");
  return ORR_OK;
}

uint8_t *train_live_peer_frame(train_live_peer *p, int world) {
  p->missed += p->waits[world];
  p->waits[world] = false;
  return p->frame[world];
}

void train_live_peer_send_frame(train_live_peer *p, int world) {
  p->waits[world] = true;
}

uint32_t train_live_peer_missed(const train_live_peer *p) {
  return p->missed;
}

orr_code train_live_peer_ping(train_live_peer *p) {
  const struct wslay_event_msg m = {.opcode = WSLAY_PING};
  if (p->closing || queued(p)) return ORR_OK; // a frame that is not taken says as much
  ORR_CHECK(wslay_event_queue_msg(p->ws, &m) == 0, ORR_ENOMEM, "connection: out of memory");
  return ORR_OK;
}

void train_live_peer_close(train_live_peer *p, uint16_t status, const char *why) {
  size_t n = strlen(why);
  if (p->closing) return;
  if (n > REASON) n = REASON;
  while (n > 0 && ((unsigned char)why[n] & 0xC0) == 0x80) n--; // not inside a character
  memcpy(p->why, why, n);
  p->status = status;
  p->closing = true;
  p->closing_ns = orr_clock_ns();
}
