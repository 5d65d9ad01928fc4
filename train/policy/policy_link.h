// The wire to a policy server: a WebSocket that this end opens (RFC 6455; framing by wslay), over
// which binary messages go one way and come the other. Every wait has an end: what does not come in
// time is an error that says so. One thread at a time.
#ifndef TRAIN_POLICY_LINK_H
#define TRAIN_POLICY_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct train_policy_link train_policy_link;

// Local. Connects to `address`, ws://HOST[:PORT][/PATH], port 8000 where it says none. `key`: sent
// as `Authorization: Api-Key KEY`; NULL = none. `patience_s` bounds every wait from here on.
// ORR_ECONFIG for an address that is none, ORR_EIO for a server that is not there, is too late or
// speaks no WebSocket.
orr_code train_policy_link_open(const char *address, const char *key, double patience_s,
                                train_policy_link **out);
void train_policy_link_close(train_policy_link *l); // takes NULL

// Local. Sends a binary message whole.
orr_code train_policy_link_send(train_policy_link *l, const uint8_t *bytes, size_t size);
// Local. The next message, the link's own until the next call. ORR_EIO where none comes in time, or
// the server has gone; with its own words where it says some.
orr_code train_policy_link_receive(train_policy_link *l, bool *text, const uint8_t **bytes,
                                   size_t *size);

#endif
