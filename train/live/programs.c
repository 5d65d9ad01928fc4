#define _GNU_SOURCE // accept4

#include "train/live/programs.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/mem.h"
#include "train/live/listen.h"
#include "train/live/program.h"

struct train_live_programs {
  char *where;
  const train_live_house *house;
  train_live_seat *seats;
  int64_t count;
  int fd;
  bool local;
  train_live_program *program[TRAIN_LIVE_PROGRAMS_MOST]; // NULL = a free place
};

orr_code train_live_programs_create(const char *where, const train_live_house *house,
                                    train_live_seat *seats, int64_t count,
                                    train_live_programs **out) {
  train_live_programs *p = orr_calloc(1, sizeof *p);
  ORR_CHECK(p, ORR_ENOMEM, "programs: out of memory");
  *p = (train_live_programs){.house = house, .seats = seats, .count = count, .fd = -1};
  p->where = orr_strdup(where);
  orr_code rc = p->where ? ORR_OK : ORR_FAIL(ORR_ENOMEM, "programs: out of memory");
  if (rc == ORR_OK) rc = train_live_listen(where, &p->fd, &p->local);
  if (rc != ORR_OK) {
    train_live_programs_destroy(p);
    return rc;
  }
  *out = p;
  return ORR_OK;
}

static void end(train_live_programs *p, int i) {
  train_live_program_destroy(p->program[i]);
  p->program[i] = NULL;
}

void train_live_programs_destroy(train_live_programs *p) {
  if (!p) return;
  for (int i = 0; i < TRAIN_LIVE_PROGRAMS_MOST; i++) end(p, i);
  if (p->where) train_live_listen_end(p->where, p->fd);
  orr_free(p->where);
  orr_free(p);
}

void train_live_programs_watch(const train_live_programs *p, struct pollfd *polls) {
  bool room = false;
  for (int i = 0; i < TRAIN_LIVE_PROGRAMS_MOST; i++) {
    const train_live_program *x = p->program[i];
    room = room || !x;
    polls[i] = (struct pollfd){.fd = x ? train_live_program_fd(x) : -1, .events = POLLIN};
    if (x && train_live_program_wants_to_write(x)) polls[i].events |= POLLOUT;
  }
  // where all places are taken, who comes waits in the system's own queue
  polls[TRAIN_LIVE_PROGRAMS_MOST] = (struct pollfd){.fd = room ? p->fd : -1, .events = POLLIN};
}

bool train_live_programs_have_more(const train_live_programs *p) {
  for (int i = 0; i < TRAIN_LIVE_PROGRAMS_MOST; i++)
    if (p->program[i] && train_live_program_has_more(p->program[i])) return true;
  return false;
}

static void let_in(train_live_programs *p) {
  const int one = 1;
  int at = 0;
  while (at < TRAIN_LIVE_PROGRAMS_MOST && p->program[at]) at++;
  if (at == TRAIN_LIVE_PROGRAMS_MOST) return;
  const int fd = accept4(p->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) return;
  if (!p->local) (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  const train_live_program_options o = {
      .fd = fd, .local = p->local, .house = p->house, .seat = p->seats, .seats = p->count};
  (void)train_live_program_create(&o, orr_clock_ns(), &p->program[at]);
}

void train_live_programs_serve(train_live_programs *p, const struct pollfd *polls) {
  const int64_t now_ns = orr_clock_ns();
  for (int i = 0; i < TRAIN_LIVE_PROGRAMS_MOST; i++) {
    train_live_program *x = p->program[i];
    if (!x) continue;
    const bool came = polls[i].fd >= 0 && polls[i].revents & (POLLIN | POLLERR | POLLHUP);
    orr_code rc = ORR_OK;
    if (came || train_live_program_has_more(x)) rc = train_live_program_read(x);
    if (rc == ORR_OK) rc = train_live_program_write(x);
    if (rc != ORR_OK || train_live_program_is_silent(x, now_ns)) end(p, i);
  }
  if (polls[TRAIN_LIVE_PROGRAMS_MOST].revents & POLLIN) let_in(p);
}

void train_live_programs_write(train_live_programs *p) {
  for (int i = 0; i < TRAIN_LIVE_PROGRAMS_MOST; i++)
    if (p->program[i] && train_live_program_write(p->program[i]) != ORR_OK) end(p, i);
}

void train_live_programs_end(train_live_programs *p, const char *code, const char *words) {
  for (int i = 0; i < TRAIN_LIVE_PROGRAMS_MOST; i++) {
    if (!p->program[i]) continue;
    train_live_program_bid_farewell(p->program[i], code, words);
    (void)train_live_program_write(p->program[i]);
    end(p, i);
  }
}
