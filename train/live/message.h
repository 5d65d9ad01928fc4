// What a peer's message does to its seat. One that cannot be understood or granted is answered by
// {"say": "error", ...} and the session goes on; a failure that is returned ends the connection.
#ifndef TRAIN_LIVE_MESSAGE_H
#define TRAIN_LIVE_MESSAGE_H

#include "train/live/control.h"

// Local. A whole message, words or bytes (train/live/wire.h).
orr_code train_live_message_take(const train_live_house *h, train_live_seat *s, bool text,
                                 const uint8_t *bytes, size_t size, int64_t now_ns);
// Local. Bytes of the longest message that anybody may send.
size_t train_live_message_most(const train_live_seat *s);

#endif
