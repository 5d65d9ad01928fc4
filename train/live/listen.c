#include "train/live/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { WAITING = 16 };

static bool is_path(const char *where) {
  return strchr(where, '/') || !strchr(where, ':');
}

// Whether the socket at this address was left by a server that is no more.
static bool is_left_over(const struct sockaddr_un *at) {
  struct stat st;
  if (lstat(at->sun_path, &st) != 0 || !S_ISSOCK(st.st_mode)) return false;
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  const bool dead =
      connect(fd, (const struct sockaddr *)at, sizeof *at) != 0 && errno == ECONNREFUSED;
  close(fd);
  return dead;
}

static orr_code bind_path(const char *where, int fd) {
  struct sockaddr_un at = {.sun_family = AF_UNIX};
  ORR_CHECK(strlen(where) < sizeof at.sun_path, ORR_ECONFIG,
            "--socket: the path %s has %zu bytes, a socket's at most %zu: choose a shorter one",
            where, strlen(where), sizeof at.sun_path - 1);
  memcpy(at.sun_path, where, strlen(where));
  if (is_left_over(&at)) (void)unlink(where);
  (void)fchmod(fd, 0600); // what bind makes has this mode
  ORR_CHECK(bind(fd, (const struct sockaddr *)&at, sizeof at) == 0, ORR_EIO,
            "--socket: cannot listen at %s: %s%s", where, strerror(errno),
            errno == EADDRINUSE ? ": another server does, or the path is another file's" : "");
  return ORR_OK;
}

static orr_code bind_port(const char *where, int fd) {
  const char *colon = strrchr(where, ':');
  char address[64], *end;
  const long port = strtol(colon + 1, &end, 10);
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  const int one = 1;
  snprintf(address, sizeof address, "%.*s", (int)(colon - where), where);
  ORR_CHECK(colon[1] && !*end && port >= 0 && port <= 65535 &&
                inet_pton(AF_INET, address, &at.sin_addr) == 1 &&
                ntohl(at.sin_addr.s_addr) >> 24 == 127,
            ORR_ECONFIG,
            "--socket is '%s': wanted a path, or 127.0.0.1:PORT; from other machines programs come "
            "through ssh -L",
            where);
  (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  ORR_CHECK(bind(fd, (const struct sockaddr *)&at, sizeof at) == 0, ORR_EIO,
            "--socket: cannot listen at %s: %s", where, strerror(errno));
  return ORR_OK;
}

orr_code train_live_listen(const char *where, int *out, bool *local) {
  *local = is_path(where);
  const int fd = socket(*local ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  ORR_CHECK(fd >= 0, ORR_EIO, "--socket: no socket: %s", strerror(errno));
  orr_code rc = *local ? bind_path(where, fd) : bind_port(where, fd);
  if (rc == ORR_OK && listen(fd, WAITING) != 0)
    rc = ORR_FAIL(ORR_EIO, "--socket: cannot listen at %s: %s", where, strerror(errno));
  if (rc != ORR_OK) {
    close(fd);
    return rc;
  }
  *out = fd;
  return ORR_OK;
}

void train_live_listen_end(const char *where, int fd) {
  if (fd < 0) return;
  close(fd);
  if (is_path(where)) (void)unlink(where);
}
