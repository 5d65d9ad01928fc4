#include "train/policy/policy_link.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>
#include <wslay/wslay.h>

#include "base/clock.h"
#include "base/mem.h"
#include "train/policy/handshake.h"

enum { MOST_ANSWER = 64 << 20, MOST_HEAD = 16384, KEY_BYTES = 16 };

struct train_policy_link {
  char host[256], port[8], path[512];
  double patience_s;
  int fd;
  wslay_event_context_ptr ws;
  char head[MOST_HEAD + 1]; // of HTTP, and what came after it
  size_t head_used, head_at;
  uint8_t *message;
  size_t message_size;
  bool has_message, text, gone;
};

// -- waiting ----------------------------------------------------------------------------------

static int64_t deadline_of(const train_policy_link *l) {
  return orr_clock_ns() + (int64_t)(1e9 * l->patience_s);
}

// Until the socket is ready for `events`. ORR_EIO after the deadline; `what` did not happen.
static orr_code wait_for(const train_policy_link *l, short events, int64_t until,
                         const char *what) {
  for (;;) {
    const int64_t left_ms = (until - orr_clock_ns() + 999999) / 1000000;
    struct pollfd p = {.fd = l->fd, .events = events};
    const int got = left_ms > 0 ? poll(&p, 1, left_ms > 1000 ? 1000 : (int)left_ms) : 0;
    if (got > 0) return ORR_OK;
    ORR_CHECK(got == 0 || errno == EINTR, ORR_EIO, "policy at %s:%s: %s", l->host, l->port,
              strerror(errno));
    ORR_CHECK(orr_clock_ns() < until, ORR_EIO,
              "policy at %s:%s: it %s within %g s: is it still busy? --patience S waits longer",
              l->host, l->port, what, l->patience_s);
  }
}

// -- opening ----------------------------------------------------------------------------------

static orr_code read_address(const char *address, train_policy_link *l) {
  static const char wanted[] = "wanted ws://HOST:PORT";
  ORR_CHECK(strncmp(address, "ws://", 5) == 0, ORR_ECONFIG, "--policy is '%s': %s", address,
            wanted);
  const char *host = address + 5, *slash = strchr(host, '/');
  const size_t n = slash ? (size_t)(slash - host) : strlen(host);
  ORR_CHECK(n > 0 && n < sizeof l->host && (!slash || strlen(slash) < sizeof l->path) &&
                !strpbrk(address, " \t\r\n"),
            ORR_ECONFIG, "--policy is '%s': %s", address, wanted);
  memcpy(l->host, host, n);
  snprintf(l->path, sizeof l->path, "%s", slash ? slash : "/");
  snprintf(l->port, sizeof l->port, "8000");
  char *colon = strrchr(l->host, ':');
  if (!colon) return ORR_OK;
  *colon = '\0';
  ORR_CHECK(strlen(colon + 1) > 0 && strlen(colon + 1) < sizeof l->port && l->host[0] &&
                strspn(colon + 1, "0123456789") == strlen(colon + 1),
            ORR_ECONFIG, "--policy is '%s': %s", address, wanted);
  snprintf(l->port, sizeof l->port, "%s", colon + 1);
  return ORR_OK;
}

static orr_code connect_to(train_policy_link *l, const struct addrinfo *at, int64_t until) {
  const int one = 1;
  int why = 0;
  socklen_t size = sizeof why;
  l->fd = socket(at->ai_family, SOCK_STREAM, 0);
  ORR_CHECK(l->fd >= 0, ORR_EIO, "policy: no socket: %s", strerror(errno));
  (void)fcntl(l->fd, F_SETFD, FD_CLOEXEC);
  (void)fcntl(l->fd, F_SETFL, O_NONBLOCK);
  (void)setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (connect(l->fd, at->ai_addr, at->ai_addrlen) != 0 && errno != EINPROGRESS) why = errno;
  if (!why) {
    ORR_TRY(wait_for(l, POLLOUT, until, "took no connection"));
    (void)getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &why, &size);
  }
  ORR_CHECK(!why, ORR_EIO, "policy at %s:%s: %s: is the policy server running?", l->host, l->port,
            strerror(why));
  return ORR_OK;
}

static orr_code connect_any(train_policy_link *l, int64_t until) {
  const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
  struct addrinfo *all = NULL;
  const int rc = getaddrinfo(l->host, l->port, &hints, &all);
  ORR_CHECK(rc == 0, ORR_EIO, "policy at %s:%s: %s", l->host, l->port, gai_strerror(rc));
  orr_code done = ORR_EIO;
  for (const struct addrinfo *at = all; at && done != ORR_OK; at = at->ai_next) {
    if (l->fd >= 0) close(l->fd);
    l->fd = -1;
    done = connect_to(l, at, until);
  }
  freeaddrinfo(all);
  return done;
}

static orr_code write_all(train_policy_link *l, const char *text, size_t size, int64_t until) {
  while (size > 0) {
    const ssize_t n = send(l->fd, text, size, MSG_NOSIGNAL);
    if (n > 0) {
      text += n;
      size -= (size_t)n;
      continue;
    }
    ORR_CHECK(errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR, ORR_EIO,
              "policy at %s:%s: %s", l->host, l->port, strerror(errno));
    ORR_TRY(wait_for(l, POLLOUT, until, "took no request"));
  }
  return ORR_OK;
}

static void random_key(char out[25]) {
  static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  uint8_t bytes[KEY_BYTES + 2] = {0};
  if (getrandom(bytes, KEY_BYTES, 0) != KEY_BYTES) memset(bytes, 7, KEY_BYTES); // no secret
  for (int i = 0; i < 6; i++) {
    const uint32_t v =
        (uint32_t)bytes[3 * i] << 16 | (uint32_t)bytes[3 * i + 1] << 8 | bytes[3 * i + 2];
    for (int j = 0; j < 4; j++) out[4 * i + j] = base64[v >> (18 - 6 * j) & 63];
  }
  out[22] = out[23] = '=';
  out[24] = '\0';
}

// The head of the answer; what follows it stays in l->head.
static orr_code read_head(train_policy_link *l, int64_t until) {
  for (;;) {
    const char *end = strstr(l->head, "\r\n\r\n");
    if (end) {
      l->head_at = (size_t)(end + 4 - l->head);
      return ORR_OK;
    }
    ORR_CHECK(l->head_used < MOST_HEAD, ORR_EIO, "policy at %s:%s: it speaks no WebSocket", l->host,
              l->port);
    ORR_TRY(wait_for(l, POLLIN, until, "did not answer the handshake"));
    const ssize_t n = recv(l->fd, l->head + l->head_used, MOST_HEAD - l->head_used, 0);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) continue;
    ORR_CHECK(n > 0, ORR_EIO, "policy at %s:%s: it ended the connection in the handshake", l->host,
              l->port);
    l->head_used += (size_t)n;
    l->head[l->head_used] = '\0';
  }
}

static orr_code check_head(const train_policy_link *l, const char *accept) {
  const char *line = strchr(l->head, '\n');
  ORR_CHECK(strncmp(l->head, "HTTP/1.1 101", 12) == 0, ORR_EIO,
            "policy at %s:%s: it answers \"%.*s\" and opens no WebSocket", l->host, l->port,
            (int)strcspn(l->head, "\r\n"), l->head);
  for (; line && line - l->head < (ptrdiff_t)l->head_at; line = strchr(line + 1, '\n')) {
    if (strncasecmp(line + 1, "Sec-WebSocket-Accept:", 21) != 0) continue;
    const char *value = line + 22 + strspn(line + 22, " \t");
    if (strncmp(value, accept, strlen(accept)) == 0) return ORR_OK;
  }
  return ORR_FAIL(ORR_EIO, "policy at %s:%s: its handshake is not WebSocket's", l->host, l->port);
}

static orr_code shake_hands(train_policy_link *l, const char *key, int64_t until) {
  char mine[25], accept[29];
  random_key(mine);
  ORR_TRY(train_handshake_accept(mine, accept));
  char *ask = orr_format("GET %s HTTP/1.1\r\nHost: %s:%s\r\nUpgrade: websocket\r\n"
                         "Connection: Upgrade\r\nSec-WebSocket-Key: %s\r\n"
                         "Sec-WebSocket-Version: 13\r\n%s%s%s\r\n",
                         l->path, l->host, l->port, mine, key ? "Authorization: Api-Key " : "",
                         key ? key : "", key ? "\r\n" : "");
  ORR_CHECK(ask, ORR_ENOMEM, "policy: out of memory");
  orr_code rc = write_all(l, ask, strlen(ask), until);
  orr_free(ask);
  if (rc == ORR_OK) rc = read_head(l, until);
  return rc == ORR_OK ? check_head(l, accept) : rc;
}

// -- frames -----------------------------------------------------------------------------------

static ssize_t read_some(wslay_event_context_ptr ws, uint8_t *to, size_t size, int flags,
                         void *user) {
  train_policy_link *l = user;
  if (l->head_at < l->head_used) {
    const size_t left = l->head_used - l->head_at, n = left < size ? left : size;
    memcpy(to, l->head + l->head_at, n);
    l->head_at += n;
    return (ssize_t)n;
  }
  const ssize_t n = recv(l->fd, to, size, 0);
  if (n > 0) return n;
  const bool later = n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
  if (!later) l->gone = true;
  wslay_event_set_error(ws, later ? WSLAY_ERR_WOULDBLOCK : WSLAY_ERR_CALLBACK_FAILURE);
  return -1;
}

static ssize_t write_some(wslay_event_context_ptr ws, const uint8_t *from, size_t size, int flags,
                          void *user) {
  train_policy_link *l = user;
  const ssize_t n = send(l->fd, from, size, MSG_NOSIGNAL);
  if (n >= 0) return n;
  const bool later = errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
  if (!later) l->gone = true;
  wslay_event_set_error(ws, later ? WSLAY_ERR_WOULDBLOCK : WSLAY_ERR_CALLBACK_FAILURE);
  return -1;
}

static int make_mask(wslay_event_context_ptr ws, uint8_t *to, size_t size, void *user) {
  return getrandom(to, size, 0) == (ssize_t)size ? 0 : -1;
}

static void take_message(wslay_event_context_ptr ws, const struct wslay_event_on_msg_recv_arg *m,
                         void *user) {
  train_policy_link *l = user;
  if (wslay_is_ctrl_frame(m->opcode)) return;
  uint8_t *message = orr_realloc(l->message, m->msg_length + 1);
  if (!message) {
    l->gone = true;
    return;
  }
  memcpy(message, m->msg, m->msg_length);
  l->message = message;
  l->message_size = m->msg_length;
  l->text = m->opcode == WSLAY_TEXT_FRAME;
  l->has_message = true;
}

static orr_code open_frames(train_policy_link *l) {
  static const struct wslay_event_callbacks callbacks = {.recv_callback = read_some,
                                                         .send_callback = write_some,
                                                         .genmask_callback = make_mask,
                                                         .on_msg_recv_callback = take_message};
  ORR_CHECK(wslay_event_context_client_init(&l->ws, &callbacks, l) == 0, ORR_ENOMEM,
            "policy: out of memory");
  wslay_event_config_set_max_recv_msg_length(l->ws, MOST_ANSWER);
  return ORR_OK;
}

orr_code train_policy_link_open(const char *address, const char *key, double patience_s,
                                train_policy_link **out) {
  orr_code rc;
  train_policy_link *l = orr_calloc(1, sizeof *l);
  ORR_CHECK(l, ORR_ENOMEM, "policy: out of memory");
  l->fd = -1;
  l->patience_s = patience_s;
  ORR_TRY_GOTO(read_address(address, l), fail);
  const int64_t until = deadline_of(l);
  ORR_TRY_GOTO(connect_any(l, until), fail);
  ORR_TRY_GOTO(shake_hands(l, key, until), fail);
  ORR_TRY_GOTO(open_frames(l), fail);
  *out = l;
  return ORR_OK;
fail:
  train_policy_link_close(l);
  return rc;
}

void train_policy_link_close(train_policy_link *l) {
  if (!l) return;
  if (l->ws) {
    (void)wslay_event_queue_close(l->ws, WSLAY_CODE_NORMAL_CLOSURE, NULL, 0);
    (void)wslay_event_send(l->ws); // as far as it goes
    wslay_event_context_free(l->ws);
  }
  if (l->fd >= 0) close(l->fd);
  orr_free(l->message);
  orr_free(l);
}

static orr_code say_gone(const train_policy_link *l) {
  return ORR_FAIL(ORR_EIO, "policy at %s:%s: it has ended the connection", l->host, l->port);
}

orr_code train_policy_link_send(train_policy_link *l, const uint8_t *bytes, size_t size) {
  const struct wslay_event_msg m = {.opcode = WSLAY_BINARY_FRAME, .msg = bytes, .msg_length = size};
  const int64_t until = deadline_of(l);
  ORR_CHECK(wslay_event_queue_msg(l->ws, &m) == 0, ORR_EIO,
            "policy at %s:%s: nothing can be sent any more", l->host, l->port);
  for (;;) {
    if (wslay_event_send(l->ws) != 0 || l->gone) return say_gone(l);
    if (!wslay_event_want_write(l->ws)) return ORR_OK;
    ORR_TRY(wait_for(l, POLLOUT, until, "did not take an observation"));
  }
}

orr_code train_policy_link_receive(train_policy_link *l, bool *text, const uint8_t **bytes,
                                   size_t *size) {
  const int64_t until = deadline_of(l);
  l->has_message = false;
  for (;;) {
    const int rc = wslay_event_recv(l->ws);
    if (l->has_message) break;
    if (rc != 0 || l->gone || wslay_event_get_close_received(l->ws)) return say_gone(l);
    if (wslay_event_send(l->ws) != 0) return say_gone(l); // pongs
    ORR_TRY(wait_for(l, POLLIN, until, "did not answer"));
  }
  *text = l->text;
  *bytes = l->message;
  *size = l->message_size;
  return ORR_OK;
}
