// The sideband. A connection starts with a hello in each direction (token, rank, host and pid),
// read while it is made; then come frames: a head, and after an ANSWER a recording. Sockets do not
// block after that: a frame is small against a socket's buffer, so a peer that never reads holds up
// nobody.
#include "dist/sideband.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "dist/address.h"

#define ROUND       256  // ranks that connect at once: less than the kernel's queue of a listener
#define CONNECT_MS  2000 // for each address of a centre
#define HELLO_MS    5000
#define OTHER_FILES 512 // descriptors that the rest of the process may need

typedef struct {
  uint64_t token;
  int64_t rank;
  dist_identity identity;
} hello;

typedef struct {
  int32_t word;
  int32_t bytes; // that follow
} head;

typedef struct {
  head head;
  dist_recording recording;
} frame;

typedef struct {
  bool bye;    // the peer has said it
  size_t have; // bytes of `in`
  frame *in;   // NULL = no connection
} link_state;

struct dist_sideband {
  int rank, ranks;
  link_state *links;         // [ranks]
  struct pollfd *polls;      // [ranks + 1]: a socket for each rank (-1 = none), then `wake`
  dist_identity *identities; // [ranks]
  int64_t room;              // connections that this process may still keep
  int next;                  // rank whose socket is looked at first, so that none is starved
};

int dist_sideband_deputy(const dist_sideband *s) {
  return s->ranks - 1;
}

const dist_identity *dist_sideband_identity(const dist_sideband *s, int rank) {
  return s->identities + rank;
}

static bool is_centre(const dist_sideband *s, int rank) {
  return rank == 0 || rank == s->ranks - 1;
}

// -- making the connections -----------------------------------------------------------------

// Reads or writes all of p [bytes] by the deadline.
static bool transfer(int fd, void *p, size_t bytes, bool sending, int64_t deadline_ns) {
  char *at = p;
  while (bytes > 0) {
    ssize_t n = sending ? send(fd, at, bytes, MSG_NOSIGNAL | MSG_DONTWAIT)
                        : recv(fd, at, bytes, MSG_DONTWAIT);
    if (n > 0) {
      at += n;
      bytes -= (size_t)n;
      continue;
    }
    int64_t left_ms = (deadline_ns - orr_clock_ns()) / 1000000;
    if (n == 0 || (errno != EAGAIN && errno != EINTR) || left_ms <= 0) return false;
    struct pollfd wait = {.fd = fd, .events = sending ? POLLOUT : POLLIN};
    poll(&wait, 1, (int)left_ms);
  }
  return true;
}

static hello my_hello(const dist_sideband *s, uint64_t token) {
  hello h;
  memset(&h, 0, sizeof h);
  h.token = token;
  h.rank = s->rank;
  h.identity = s->identities[s->rank];
  return h;
}

static bool keep(dist_sideband *s, const hello *h, int fd) {
  int on = 1;
  link_state *l = s->links + h->rank;
  if (s->room <= 0) return false;
  l->in = orr_calloc(1, sizeof *l->in);
  if (!l->in) return false;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  s->room--;
  s->polls[h->rank].fd = fd;
  s->identities[h->rank] = h->identity;
  return true;
}

// Accepts `wanted` of our ranks; gives up when none comes for a while.
static void accept_ranks(dist_sideband *s, int listener, uint64_t token, int64_t wanted) {
  struct pollfd p = {.fd = listener, .events = POLLIN};
  while (wanted > 0 && poll(&p, 1, HELLO_MS) == 1) {
    hello theirs, mine = my_hello(s, token);
    int fd = accept(listener, NULL, NULL);
    if (fd < 0) return;
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    int64_t deadline = orr_clock_ns() + HELLO_MS * INT64_C(1000000);
    if (transfer(fd, &theirs, sizeof theirs, false, deadline) && theirs.token == token &&
        theirs.rank >= 0 && theirs.rank < s->ranks && !s->links[theirs.rank].in &&
        transfer(fd, &mine, sizeof mine, true, deadline) && keep(s, &theirs, fd))
      wanted--;
    else
      close(fd);
  }
}

// Connects to a centre and says hello; -1 when that fails. The answer is read by `welcome`.
static int call_centre(const dist_sideband *s, const dist_address *to) {
  hello mine = my_hello(s, to->token);
  int fd = dist_address_connect(to, CONNECT_MS);
  int64_t deadline = orr_clock_ns() + HELLO_MS * INT64_C(1000000);
  if (fd < 0 || transfer(fd, &mine, sizeof mine, true, deadline)) return fd;
  close(fd);
  return -1;
}

static void welcome(dist_sideband *s, int fd, int centre, uint64_t token) {
  hello theirs;
  int64_t deadline = orr_clock_ns() + HELLO_MS * INT64_C(1000000);
  if (fd < 0) return;
  if (!transfer(fd, &theirs, sizeof theirs, false, deadline) || theirs.token != token ||
      theirs.rank != centre || !keep(s, &theirs, fd))
    close(fd);
}

// One round: ranks [first, first + ROUND) connect to both centres. Centres accept before they read
// an answer themselves, so nobody waits in a circle.
static orr_code connect_round(dist_sideband *s, dist_comm *world, const dist_address *centres,
                              int listener, int first) {
  const int at[2] = {0, s->ranks - 1};
  int fds[2] = {-1, -1};
  int64_t called[2];
  for (int i = 0; i < 2; i++) {
    bool mine = s->rank >= first && s->rank < first + ROUND && s->rank != 0 && s->rank != at[i];
    if (mine) fds[i] = call_centre(s, centres + i);
    called[i] = fds[i] >= 0;
  }
  orr_code rc = dist_all_reduce(world, called, 2, DIST_I64, DIST_SUM);
  for (int i = 0; i < 2; i++)
    if (rc == ORR_OK && s->rank == at[i]) accept_ranks(s, listener, centres[i].token, called[i]);
  for (int i = 0; i < 2; i++) {
    if (rc == ORR_OK)
      welcome(s, fds[i], at[i], centres[i].token);
    else if (fds[i] >= 0)
      close(fds[i]);
  }
  return rc;
}

static orr_code connect_all(dist_sideband *s, dist_comm *world, dist_address *centres,
                            int listener) {
  ORR_TRY(dist_broadcast(world, centres, sizeof *centres, DIST_U8, 0));
  ORR_TRY(dist_broadcast(world, centres + 1, sizeof *centres, DIST_U8, s->ranks - 1));
  for (int first = 0; first < s->ranks; first += ROUND)
    ORR_TRY(connect_round(s, world, centres, listener, first));
  return ORR_OK;
}

// A centre of many ranks needs more descriptors than the usual limit of 1024 leaves. Raises that
// limit as far as it may be; returns the connections that fit under it.
static int64_t make_room(int ranks) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return ranks;
  rlim_t wanted = (rlim_t)ranks + OTHER_FILES;
  if (limit.rlim_cur < wanted) {
    limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) getrlimit(RLIMIT_NOFILE, &limit);
  }
  return limit.rlim_cur < wanted ? (int64_t)limit.rlim_cur / 2 : ranks;
}

// -- life -----------------------------------------------------------------------------------

static orr_code create(int rank, int ranks, dist_sideband **out) {
  size_t n = (size_t)ranks;
  dist_sideband *s = orr_calloc(1, sizeof *s);
  ORR_CHECK(s, ORR_ENOMEM, "sideband: out of memory for it");
  *s = (dist_sideband){.rank = rank,
                       .ranks = ranks,
                       .links = orr_calloc(n, sizeof *s->links),
                       .polls = orr_calloc(n + 1, sizeof *s->polls),
                       .identities = orr_calloc(n, sizeof *s->identities)};
  if (!s->links || !s->polls || !s->identities) {
    orr_free(s->identities);
    orr_free(s->polls);
    orr_free(s->links);
    orr_free(s);
    return ORR_FAIL(ORR_ENOMEM, "sideband: out of memory for %d ranks", ranks);
  }
  for (int i = 0; i <= ranks; i++) s->polls[i] = (struct pollfd){.fd = -1, .events = POLLIN};
  s->polls[ranks].fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  *out = s;
  return ORR_OK;
}

// Connections that this rank should have and has not.
static int64_t count_missing(const dist_sideband *s) {
  int64_t missing = 0;
  for (int i = 0; i < s->ranks; i++)
    missing += i != s->rank && (is_centre(s, i) || is_centre(s, s->rank)) && !s->links[i].in;
  return missing;
}

orr_code dist_sideband_open(dist_comm *world, dist_sideband **out, int64_t *missing) {
  dist_sideband *s = NULL;
  dist_address self, centres[2];
  int listener = -1, rank = dist_comm_rank(world), ranks = dist_comm_size(world);
  dist_address_self(&self);
  orr_code rc = dist_agree(world, create(rank, ranks, &s), "make room for the watchdog");
  if (rc != ORR_OK) goto close;
  // Without a listener the connections are missing, which the caller is told.
  if (is_centre(s, rank) && dist_address_listen(ROUND, &listener, &self) != ORR_OK)
    orr_status_clear();
  s->room = is_centre(s, rank) ? make_room(ranks) : 2;
  memcpy(s->identities[rank].host, self.host, sizeof s->identities[rank].host);
  s->identities[rank].pid = (int64_t)getpid();
  centres[0] = centres[1] = self;
  rc = connect_all(s, world, centres, listener);
  if (listener >= 0) close(listener);
  if (rc != ORR_OK) goto close;
  *missing = count_missing(s);
  ORR_TRY_GOTO(dist_all_reduce(world, missing, 1, DIST_I64, DIST_SUM), close);
  *out = s;
  return ORR_OK;
close:
  dist_sideband_close(s);
  return rc;
}

static void drop(dist_sideband *s, int rank) {
  close(s->polls[rank].fd);
  s->polls[rank].fd = -1;
  orr_free(s->links[rank].in);
  s->links[rank].in = NULL;
}

void dist_sideband_close(dist_sideband *s) {
  if (!s) return;
  for (int i = 0; i < s->ranks; i++) {
    dist_sideband_send(s, i, DIST_WORD_BYE, NULL);
    if (s->links[i].in) drop(s, i);
  }
  if (s->polls[s->ranks].fd >= 0) close(s->polls[s->ranks].fd);
  orr_free(s->identities);
  orr_free(s->polls);
  orr_free(s->links);
  orr_free(s);
}

// -- messages -------------------------------------------------------------------------------

void dist_sideband_send(dist_sideband *s, int rank, dist_word word,
                        const dist_recording *recording) {
  frame f = {.head = {.word = (int32_t)word, .bytes = recording ? (int32_t)sizeof *recording : 0}};
  if (s->polls[rank].fd < 0) return;
  if (recording) f.recording = *recording;
  size_t bytes = offsetof(frame, recording) + (size_t)f.head.bytes;
  ssize_t sent = send(s->polls[rank].fd, &f, bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
  // Half a frame cannot be taken back; the peer sees the end of the connection.
  if (sent > 0 && (size_t)sent < bytes) shutdown(s->polls[rank].fd, SHUT_RDWR);
}

void dist_sideband_wake(dist_sideband *s) {
  uint64_t one = 1;
  if (write(s->polls[s->ranks].fd, &one, sizeof one) < 0) return; // it is awake already
}

// Reads what is there of rank's next frame; true when there is something to tell.
static bool read_frame(dist_sideband *s, int rank, dist_message *m) {
  link_state *l = s->links + rank;
  size_t wanted = offsetof(frame, recording);
  for (;;) {
    if (l->have >= sizeof(head)) wanted = offsetof(frame, recording) + (size_t)l->in->head.bytes;
    if (l->have == wanted) break;
    ssize_t n = recv(s->polls[rank].fd, (char *)l->in + l->have, wanted - l->have, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return false;
    if (n > 0) l->have += (size_t)n;
    bool sane = n > 0 && (l->have < sizeof(head) || l->in->head.bytes == 0 ||
                          l->in->head.bytes == (int32_t)sizeof(dist_recording));
    if (sane) continue;
    bool bye = l->bye;
    drop(s, rank);
    *m = (dist_message){.rank = rank, .word = DIST_WORD_GONE};
    return !bye;
  }
  l->have = 0;
  *m = (dist_message){.rank = rank,
                      .word = (dist_word)l->in->head.word,
                      .recording = l->in->head.bytes ? &l->in->recording : NULL};
  l->bye = l->bye || m->word == DIST_WORD_BYE;
  return true;
}

bool dist_sideband_receive(dist_sideband *s, int timeout_ms, dist_message *m) {
  uint64_t wakes;
  if (poll(s->polls, (nfds_t)s->ranks + 1, timeout_ms) <= 0) return false;
  for (int i = 0; i < s->ranks; i++) {
    int rank = (s->next + i) % s->ranks;
    if (!s->polls[rank].revents || s->polls[rank].fd < 0 || !read_frame(s, rank, m)) continue;
    s->next = (rank + 1) % s->ranks;
    return true;
  }
  if (read(s->polls[s->ranks].fd, &wakes, sizeof wakes) < 0) return false; // nobody called
  return false;
}
