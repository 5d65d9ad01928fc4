// What comes over a connection: the frames of a WebSocket, whole or in pieces, and the messages in
// them. The input is what a client sends; masks are its own. The connection stays, or ends with
// words; it neither hangs nor holds more than it may.
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"
#include "train/live/peer.h"
#include "train/live/wire.h"

enum { MOST_MESSAGE = 4096, MOST_MESSAGES = 64, FRAME_BYTES = TRAIN_WIRE_FRAME_HEADER + 12 };

static void check_input(const uint8_t *bytes, size_t size) {
  train_wire_input in;
  const orr_code rc = train_wire_read_input(bytes, size, &in);
  if (rc != ORR_OK) {
    fuzz_check_refusal(rc);
    return;
  }
  FUZZ_PROMISE(in.components >= 0 && in.values + 4 * in.components == bytes + size);
}

static void check_picture(const uint8_t *bytes, size_t size) {
  train_wire_picture p;
  const orr_code rc = train_wire_read_picture(bytes, size, &p);
  if (rc != ORR_OK) {
    fuzz_check_refusal(rc);
    return;
  }
  FUZZ_PROMISE(p.width > 0 && p.height > 0 && p.rgb + p.width * p.height * 3 == bytes + size);
}

static void check_sound(const uint8_t *bytes, size_t size) {
  train_wire_sound m;
  const orr_code rc = train_wire_read_sound(bytes, size, &m);
  if (rc != ORR_OK) {
    fuzz_check_refusal(rc);
    return;
  }
  FUZZ_PROMISE(m.n >= 0 && m.samples + 4 * m.n == bytes + size);
  FUZZ_PROMISE(m.stream || m.at + m.n <= m.whole);
}

static void check_frame(const uint8_t *bytes, size_t size) {
  train_wire_frame f;
  uint8_t again[TRAIN_WIRE_FRAME_HEADER];
  const orr_code rc = train_wire_read_frame(bytes, size, &f);
  if (rc != ORR_OK) {
    fuzz_check_refusal(rc);
    return;
  }
  train_wire_write_frame(&f, again);
  FUZZ_PROMISE(f.width >= 0 && f.height >= 0 && again[0] == bytes[0] && again[1] == bytes[1]);
}

static orr_code take(void *ctx, bool text, const uint8_t *bytes, size_t size) {
  FUZZ_PROMISE(size <= MOST_MESSAGE);
  (*(int *)ctx)++;
  if (text || size == 0) return ORR_OK;
  check_input(bytes, size);
  check_picture(bytes, size);
  check_sound(bytes, size);
  check_frame(bytes, size);
  return ORR_OK;
}

static bool may_come(void *ctx) {
  return *(int *)ctx < MOST_MESSAGES;
}

static void talk(int fd, const uint8_t *data, size_t size) {
  train_live_peer *p = NULL;
  int messages = 0;
  FUZZ_PROMISE(train_live_peer_create(&(train_live_peer_options){.fd = fd,
                                                                 .extra = data,
                                                                 .extra_bytes = size,
                                                                 .most_message = MOST_MESSAGE,
                                                                 .frame_bytes = FRAME_BYTES,
                                                                 .worlds = 1,
                                                                 .message = take,
                                                                 .allows = may_come,
                                                                 .ctx = &messages},
                                      &p) == ORR_OK);
  memset(train_live_peer_frame(p, 0), 0, FRAME_BYTES);
  train_live_peer_send_frame(p, 0);
  for (int turn = 0; turn < 4 && !train_live_peer_is_over(p); turn++) {
    if (train_live_peer_read(p) != ORR_OK || train_live_peer_write(p) != ORR_OK) {
      fuzz_check_refusal(ORR_EIO);
      break;
    }
  }
  FUZZ_PROMISE(messages <= MOST_MESSAGES);
  train_live_peer_destroy(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  int fd[2];
  if (size > 0) {
    check_input(data, size);
    check_picture(data, size);
    check_sound(data, size);
    check_frame(data, size);
  }
  FUZZ_PROMISE(socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0);
  FUZZ_PROMISE(fcntl(fd[0], F_SETFL, O_NONBLOCK) == 0);
  talk(fd[0], data, size);
  close(fd[0]);
  close(fd[1]);
  return 0;
}
