// Where a rank listens, in bytes that travel to the others, and connecting to it: TCP over IPv4 and
// IPv6, on one host and between hosts. Private to dist/ (and its tests).
#ifndef DIST_ADDRESS_H
#define DIST_ADDRESS_H

#include <netinet/in.h>

#include "base/status.h"

#define DIST_ADDRESS_HOSTS 16

typedef struct {
  uint64_t token; // a connection that does not bring it is not one of ours
  char host[64];
  char boot[40];                          // of the kernel, and its
  uint64_t network;                       // network namespace: both equal = loopback reaches it
  in_port_t port;                         // network order; 0 = nobody listens
  int32_t n;                              // addresses
  struct in6_addr at[DIST_ADDRESS_HOSTS]; // IPv4 as ::ffff:a.b.c.d
} dist_address;

// Local. Who this process is; port and addresses empty.
void dist_address_self(dist_address *out);
// Local. A listening socket on every interface, and where it is reached. ORR_EIO.
orr_code dist_address_listen(int backlog, int *fd, dist_address *out);
// Local. Connects to the first address that accepts, loopback first on the same host; at most
// timeout_ms for each. -1 when there is none.
int dist_address_connect(const dist_address *to, int timeout_ms);

#endif
