#include "train/live/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <inttypes.h>
#include <microhttpd.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "train/policy/handshake.h"
#include "train/live/pages.h"
#include "train/live/wire.h"

enum {
  CONNECTIONS = 256,
  CONNECTION_MEMORY = 16384,
  TIMEOUT_S = 10,
  TOKEN_BYTES = 16,
  ADDRESSES = 8, // of this machine, that are told
};

struct train_live_http {
  train_live_http_options o;
  struct MHD_Daemon *daemon;
  int port;
  bool loopback, any;                 // listens on 127.x.x.x, or on all addresses
  char token[2 * TOKEN_BYTES + 1];    // "" = none is asked for
  char url[ADDRESSES][256], path[32]; // path: of the WebSocket
  int urls;
};

// -- who may ask ------------------------------------------------------------------------------

// Numbers are nobody's name: what they lead to cannot be changed by whoever serves a page (DNS
// rebinding needs a name).
static bool is_number(const char *host, size_t n) {
  char text[64];
  struct in_addr at;
  struct in6_addr at6;
  const bool six = n > 2 && host[0] == '[' && host[n - 1] == ']';
  if (n >= sizeof text) return false;
  snprintf(text, sizeof text, "%.*s", (int)(six ? n - 2 : n), host + six);
  return inet_pton(six ? AF_INET6 : AF_INET, text, six ? (void *)&at6 : (void *)&at) == 1;
}

// Of "name:PORT" the number, -1 for anything else.
static long port_of(const char *text) {
  const size_t n = strlen(text);
  return n >= 1 && n <= 5 && strspn(text, "0123456789") == n ? strtol(text, NULL, 10) : -1;
}

// Whether `host`, name:port or a name alone, names this server.
static bool is_own_host(const train_live_http *h, const char *host) {
  const char *colon = strrchr(host, ':');
  if (colon && strchr(colon, ']')) colon = NULL; // inside [::1]
  const size_t n = colon ? (size_t)(colon - host) : strlen(host);
  const long port = colon ? port_of(colon + 1) : h->port;
  if (port < 0 || (port != h->port && !h->o.host)) return false;
  if (is_number(host, n)) return true;
  const char *const names[] = {"localhost", h->o.host};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (names[i] && strlen(names[i]) == n && strncasecmp(host, names[i], n) == 0) return true;
  return false;
}

// A page's own origin; programs send none.
static bool is_own_origin(const train_live_http *h, const char *origin, const char *host) {
  const char *rest = strncmp(origin, "http://", 7) == 0    ? origin + 7
                     : strncmp(origin, "https://", 8) == 0 ? origin + 8
                                                           : NULL;
  return rest && strcasecmp(rest, host) == 0 && is_own_host(h, rest);
}

// Without a first difference that tells how far a guess was right.
static bool is_token(const train_live_http *h, const char *given) {
  if (!h->token[0]) return true;
  if (!given || strlen(given) != strlen(h->token)) return false;
  unsigned off = 0;
  for (size_t i = 0; h->token[i]; i++) off |= (unsigned char)given[i] ^ (unsigned char)h->token[i];
  return off == 0;
}

// -- answers ----------------------------------------------------------------------------------

static enum MHD_Result answer(struct MHD_Connection *c, unsigned status, const char *type,
                              const void *bytes, size_t size) {
  static const char *const headers[][2] = {
      {"Content-Security-Policy",
       "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; "
       "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"},
      {"X-Content-Type-Options", "nosniff"},
      {"X-Frame-Options", "DENY"},
      {"Referrer-Policy", "no-referrer"},
      {"Cross-Origin-Resource-Policy", "same-origin"},
      {"Cache-Control", "no-store"}};
  struct MHD_Response *r =
      MHD_create_response_from_buffer(size, (void *)(uintptr_t)bytes, MHD_RESPMEM_PERSISTENT);
  if (!r) return MHD_NO;
  MHD_add_response_header(r, "Content-Type", type);
  for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
    MHD_add_response_header(r, headers[i][0], headers[i][1]);
  if (status == MHD_HTTP_METHOD_NOT_ALLOWED) MHD_add_response_header(r, "Allow", "GET, HEAD");
  const enum MHD_Result rc = MHD_queue_response(c, status, r);
  MHD_destroy_response(r);
  return rc;
}

static enum MHD_Result refuse(struct MHD_Connection *c, unsigned status, const char *words) {
  return answer(c, status, "text/plain; charset=utf-8", words, strlen(words));
}

static void set_up_socket(int fd) {
  const int one = 1;
  (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

static void upgraded(void *cls, struct MHD_Connection *c, void *con_cls, const char *extra,
                     size_t extra_size, MHD_socket fd, struct MHD_UpgradeResponseHandle *handle) {
  train_live_http *h = cls;
  set_up_socket(fd);
  h->o.taken(h->o.ctx, fd, extra, extra_size, handle);
}

// Whether `value`, a list with commas, names `word`.
static bool lists(const char *value, const char *word) {
  const size_t n = strlen(word);
  for (const char *p = value; p && *p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL) {
    p += strspn(p, " \t");
    if (strncasecmp(p, word, n) == 0 && strchr(", \t", p[n])) return true;
  }
  return false;
}

static enum MHD_Result open_socket(train_live_http *h, struct MHD_Connection *c) {
#define HEADER(name) MHD_lookup_connection_value(c, MHD_HEADER_KIND, name)
  const char *key = HEADER("Sec-WebSocket-Key"), *version = HEADER("Sec-WebSocket-Version");
  char accept[29];
  if (!lists(HEADER("Upgrade"), "websocket") || !lists(HEADER("Connection"), "upgrade"))
    return refuse(c, MHD_HTTP_UPGRADE_REQUIRED, "this address speaks WebSocket\n");
  if (!version || strcmp(version, "13") != 0 || !key || train_handshake_accept(key, accept))
    return refuse(c, MHD_HTTP_BAD_REQUEST, "not a handshake of WebSocket version 13\n");
#undef HEADER
  struct MHD_Response *r = MHD_create_response_for_upgrade(upgraded, h);
  if (!r) return MHD_NO;
  MHD_add_response_header(r, "Upgrade", "websocket");
  MHD_add_response_header(r, "Sec-WebSocket-Accept", accept);
  const enum MHD_Result rc = MHD_queue_response(c, MHD_HTTP_SWITCHING_PROTOCOLS, r);
  MHD_destroy_response(r);
  return rc;
}

static enum MHD_Result other_version(struct MHD_Connection *c) {
  return refuse(c, MHD_HTTP_NOT_FOUND, "this server speaks /play/1\n");
}

static enum MHD_Result handle(void *cls, struct MHD_Connection *c, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_size, void **state) {
  train_live_http *h = cls;
  const char *host = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Host");
  const char *origin = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Origin");
  const char *token = MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, "token");
  if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
    return refuse(c, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET\n");
  if (!host || !is_own_host(h, host))
    return refuse(c, MHD_HTTP_FORBIDDEN,
                  "this server does not go by that name: use the address that orrery play printed, "
                  "or start it with --host NAME\n");
  if (origin && !is_own_origin(h, origin, host))
    return refuse(c, MHD_HTTP_FORBIDDEN, "a page of another site may not act here\n");
  if (strncmp(url, "/play/", 6) == 0) {
    if (!is_token(h, token))
      return refuse(c, MHD_HTTP_FORBIDDEN, "the token is missing: use the printed address\n");
    return strcmp(url, h->path) == 0 ? open_socket(h, c) : other_version(c);
  }
  train_live_page page;
  if (!train_live_page_find(url, &page)) return refuse(c, MHD_HTTP_NOT_FOUND, "nothing here\n");
  if (strcmp(url, "/") == 0 && !is_token(h, token))
    return refuse(c, MHD_HTTP_FORBIDDEN, "the token is missing: use the printed address\n");
  return answer(c, MHD_HTTP_OK, page.type, page.bytes, page.size);
}

// -- life -------------------------------------------------------------------------------------

static orr_code make_token(train_live_http *h) {
  unsigned char bytes[TOKEN_BYTES];
  ORR_CHECK(getrandom(bytes, sizeof bytes, 0) == sizeof bytes, ORR_EIO,
            "play: no random bytes for the token: %s", strerror(errno));
  for (int i = 0; i < TOKEN_BYTES; i++) snprintf(h->token + 2 * i, 3, "%02x", bytes[i]);
  return ORR_OK;
}

static orr_code listen_on(train_live_http *h, int *out) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)h->o.port)};
  const int one = 1;
  socklen_t size = sizeof at;
  ORR_CHECK(inet_pton(AF_INET, h->o.address, &at.sin_addr) == 1, ORR_ECONFIG,
            "play: '%s' is no IPv4 address to listen on", h->o.address);
  h->loopback = ntohl(at.sin_addr.s_addr) >> 24 == 127;
  h->any = at.sin_addr.s_addr == htonl(INADDR_ANY);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  ORR_CHECK(fd >= 0, ORR_EIO, "play: no socket: %s", strerror(errno));
  (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(fd, (struct sockaddr *)&at, sizeof at) != 0 || listen(fd, 64) != 0 ||
      getsockname(fd, (struct sockaddr *)&at, &size) != 0) {
    const int why = errno;
    close(fd);
    return ORR_FAIL(ORR_EIO, "play: cannot listen on %s port %" PRId64 ": %s: %s", h->o.address,
                    h->o.port, strerror(why),
                    why == EADDRINUSE ? "something else does: choose another --port, or 0 for any"
                                      : "choose another --port or --bind");
  }
  h->port = ntohs(at.sin_port);
  *out = fd;
  return ORR_OK;
}

static void add_url(train_live_http *h, const char *host) {
  if (h->urls == ADDRESSES) return;
  snprintf(h->url[h->urls++], sizeof h->url[0], "http://%s:%d/%s%s", host, h->port,
           h->token[0] ? "?token=" : "", h->token);
}

// 0.0.0.0 is where it listens, and no address that a browser can open: this machine's are.
static void add_addresses(train_live_http *h) {
  struct ifaddrs *all = NULL;
  char text[INET_ADDRSTRLEN];
  (void)getifaddrs(&all);
  for (const struct ifaddrs *a = all; a; a = a->ifa_next) {
    if (!a->ifa_addr || a->ifa_addr->sa_family != AF_INET || !(a->ifa_flags & IFF_UP) ||
        (a->ifa_flags & IFF_LOOPBACK))
      continue;
    const struct sockaddr_in *at = (const struct sockaddr_in *)(const void *)a->ifa_addr;
    if (inet_ntop(AF_INET, &at->sin_addr, text, sizeof text)) add_url(h, text);
  }
  if (all) freeifaddrs(all);
  if (!h->urls) add_url(h, "127.0.0.1"); // a machine without a network
}

static void tell_urls(train_live_http *h) {
  if (h->o.host)
    add_url(h, h->o.host);
  else if (h->any)
    add_addresses(h);
  else
    add_url(h, h->o.address);
}

static orr_code start(train_live_http *h) {
  int fd = -1;
  ORR_TRY(listen_on(h, &fd));
  if (!h->loopback) ORR_TRY(make_token(h));
  snprintf(h->path, sizeof h->path, "/play/%d", TRAIN_LIVE_PROTOCOL);
  tell_urls(h);
  h->daemon = MHD_start_daemon(MHD_ALLOW_UPGRADE | MHD_USE_EPOLL, 0, NULL, NULL, handle, h,
                               MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
                               (unsigned)CONNECTIONS, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                               (size_t)CONNECTION_MEMORY, MHD_OPTION_CONNECTION_TIMEOUT,
                               (unsigned)TIMEOUT_S, MHD_OPTION_END);
  if (h->daemon) return ORR_OK;
  close(fd);
  return ORR_FAIL(ORR_EIO, "play: the HTTP server does not start: %s", strerror(errno));
}

orr_code train_live_http_create(const train_live_http_options *o, train_live_http **out) {
  train_live_http *h = orr_calloc(1, sizeof *h);
  ORR_CHECK(h, ORR_ENOMEM, "play: out of memory");
  h->o = *o;
  const orr_code rc = start(h);
  if (rc != ORR_OK) {
    train_live_http_destroy(h);
    return rc;
  }
  *out = h;
  return ORR_OK;
}

void train_live_http_destroy(train_live_http *h) {
  if (!h) return;
  if (h->daemon) MHD_stop_daemon(h->daemon);
  orr_free(h);
}

const char *train_live_http_url(const train_live_http *h, int i) {
  return i < h->urls ? h->url[i] : NULL;
}

int train_live_http_fd(const train_live_http *h) {
  return MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
}

int64_t train_live_http_timeout_ms(const train_live_http *h) {
  MHD_UNSIGNED_LONG_LONG ms = 0;
  return MHD_get_timeout(h->daemon, &ms) == MHD_YES ? (int64_t)ms : -1;
}

void train_live_http_run(train_live_http *h) {
  (void)MHD_run(h->daemon);
}

void train_live_http_end(void *handle) {
  (void)MHD_upgrade_action(handle, MHD_UPGRADE_ACTION_CLOSE);
}
