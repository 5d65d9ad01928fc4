// Where a rank listens, and connecting to it.
#include "dist/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

static struct in6_addr mapped(struct in_addr v4) {
  struct in6_addr a = {.s6_addr = {[10] = 0xff, [11] = 0xff}};
  memcpy(a.s6_addr + 12, &v4, 4);
  return a;
}

static void add_interface(dist_address *a, const struct ifaddrs *i) {
  if (!i->ifa_addr || !(i->ifa_flags & IFF_UP) || (i->ifa_flags & IFF_LOOPBACK)) return;
  if (a->n == DIST_ADDRESS_HOSTS) return;
  if (i->ifa_addr->sa_family == AF_INET) {
    a->at[a->n++] = mapped(((const struct sockaddr_in *)(const void *)i->ifa_addr)->sin_addr);
  } else if (i->ifa_addr->sa_family == AF_INET6) {
    const struct sockaddr_in6 *v6 = (const void *)i->ifa_addr;
    // The number of a link-local address' interface means nothing on another host.
    if (IN6_IS_ADDR_LINKLOCAL(&v6->sin6_addr)) return;
    a->at[a->n++] = v6->sin6_addr;
  }
}

void dist_address_self(dist_address *out) {
  memset(out, 0, sizeof *out); // padding too: it is sent as bytes
  gethostname(out->host, sizeof out->host - 1);
  struct stat network;
  if (stat("/proc/self/ns/net", &network) == 0) out->network = (uint64_t)network.st_ino;
  FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");
  if (!f) return;
  if (!fgets(out->boot, sizeof out->boot, f)) out->boot[0] = 0;
  fclose(f);
}

// A dual-stack socket where the kernel has IPv6, else an IPv4 one.
static int listen_any(int backlog, in_port_t *port) {
  struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
  struct sockaddr_in v4 = {.sin_family = AF_INET};
  int off = 0, fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd >= 0) {
    socklen_t size = sizeof v6;
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (bind(fd, (struct sockaddr *)&v6, size) == 0 && listen(fd, backlog) == 0 &&
        getsockname(fd, (struct sockaddr *)&v6, &size) == 0) {
      *port = v6.sin6_port;
      return fd;
    }
    close(fd);
  }
  socklen_t size = sizeof v4;
  fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  if (bind(fd, (struct sockaddr *)&v4, size) == 0 && listen(fd, backlog) == 0 &&
      getsockname(fd, (struct sockaddr *)&v4, &size) == 0) {
    *port = v4.sin_port;
    return fd;
  }
  close(fd);
  return -1;
}

orr_code dist_address_listen(int backlog, int *fd, dist_address *out) {
  struct ifaddrs *all = NULL;
  dist_address_self(out);
  *fd = listen_any(backlog, &out->port);
  ORR_CHECK(*fd >= 0, ORR_EIO, "no socket to listen on: %s", strerror(errno));
  if (getrandom(&out->token, sizeof out->token, 0) < 0)
    out->token = (uint64_t)orr_clock_ns() ^ (uint64_t)getpid() << 40;
  if (getifaddrs(&all) == 0) {
    for (const struct ifaddrs *i = all; i; i = i->ifa_next) add_interface(out, i);
    freeifaddrs(all);
  }
  return ORR_OK;
}

// Connects within timeout_ms, or -1; the socket does not block.
static int connect_to(const struct sockaddr *to, socklen_t size, int timeout_ms) {
  int fd = socket(to->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  int error = connect(fd, to, size) == 0 ? 0 : errno;
  if (error == EINPROGRESS) {
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    socklen_t length = sizeof error;
    if (poll(&p, 1, timeout_ms) != 1 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0)
      error = ETIMEDOUT;
  }
  if (error == 0) return fd;
  close(fd);
  return -1;
}

static int connect_address(const struct in6_addr *a, in_port_t port, int timeout_ms) {
  if (IN6_IS_ADDR_V4MAPPED(a)) {
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = port};
    memcpy(&v4.sin_addr, a->s6_addr + 12, 4);
    return connect_to((struct sockaddr *)&v4, sizeof v4, timeout_ms);
  }
  struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = port, .sin6_addr = *a};
  return connect_to((struct sockaddr *)&v6, sizeof v6, timeout_ms);
}

int dist_address_connect(const dist_address *to, int timeout_ms) {
  dist_address self;
  int fd = -1;
  if (to->port == 0) return -1;
  dist_address_self(&self);
  if (self.network == to->network && strcmp(self.boot, to->boot) == 0) {
    const struct in6_addr v4 = mapped((struct in_addr){htonl(INADDR_LOOPBACK)});
    fd = connect_address(&v4, to->port, timeout_ms);
    if (fd < 0) fd = connect_address(&in6addr_loopback, to->port, timeout_ms);
  }
  for (int i = 0; fd < 0 && i < to->n; i++) fd = connect_address(&to->at[i], to->port, timeout_ms);
  return fd;
}
