// The HTTP side (libmicrohttpd): the page and what it loads, and connections that become
// WebSockets. A request is answered only where its Host is one of this server's names and, for a
// WebSocket that a page opens, its Origin is the server's own: a page of another site can neither
// read nor act. Where the server listens on more than loopback, both need the token in the address.
#ifndef TRAIN_LIVE_HTTP_H
#define TRAIN_LIVE_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct train_live_http train_live_http;

// A connection has become a WebSocket; `handle` ends it, after which fd is closed.
typedef void (*train_live_taken_fn)(void *ctx, int fd, const void *extra, size_t extra_bytes,
                                    void *handle);

typedef struct {
  const char *address; // to listen on, "127.0.0.1"
  int64_t port;        // 0 = any that is free
  const char *host;    // another name that this server is called by; NULL = none
  train_live_taken_fn taken;
  void *ctx;
} train_live_http_options;

// Local. Listens. ORR_EIO for a port that is taken, ORR_EINVAL for an address that is none.
orr_code train_live_http_create(const train_live_http_options *o, train_live_http **out);
// Local. Ends every connection, those that became WebSockets first. Takes NULL.
void train_live_http_destroy(train_live_http *h);
// Local. Where a person opens the page, with the token if there is one: address i, NULL past the
// last. There are several where it listens on all addresses of a machine.
const char *train_live_http_url(const train_live_http *h, int i);
// Local. A descriptor that is readable when run has something to do, and how long it may be left
// alone at most; run does it, without waiting.
int train_live_http_fd(const train_live_http *h);
int64_t train_live_http_timeout_ms(const train_live_http *h); // -1 = no limit
void train_live_http_run(train_live_http *h);
// Local. Ends a connection that became a WebSocket.
void train_live_http_end(void *handle);

#endif
