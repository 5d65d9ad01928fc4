// The answer to a WebSocket's opening handshake (RFC 6455, 1.3).
#ifndef TRAIN_POLICY_HANDSHAKE_H
#define TRAIN_POLICY_HANDSHAKE_H

#include "base/status.h"

// Local. What the header Sec-WebSocket-Accept says to `key`, the client's Sec-WebSocket-Key.
// ORR_EFORMAT unless that is the base64 form of 16 bytes.
orr_code train_handshake_accept(const char *key, char accept[29]);

#endif
