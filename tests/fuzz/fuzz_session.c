// The file of a session (train/live/record_file.h). The checksum at its end is made right first, so
// that what is inside is read; what is accepted can be written and is then the same.
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "tests/fuzz/fuzz.h"
#include "train/live/record_file.h"

enum { FRONT = 20, TAIL = 16 };

static void put_sum(uint8_t *p, size_t size) {
  const orr_hash128 h = orr_hash_bytes(p, size - TAIL);
  for (int i = 0; i < 8; i++) {
    p[size - TAIL + (size_t)i] = (uint8_t)(h.hi >> (56 - 8 * i));
    p[size - TAIL + 8 + (size_t)i] = (uint8_t)(h.lo >> (56 - 8 * i));
  }
}

// Mutations move the end of the packed body about: its length is made right, too.
static void put_length(uint8_t *p, size_t size) {
  size_t head = 0;
  for (int i = 3; i >= 0; i--) head = head << 8 | p[8 + i];
  if (head > size - FRONT - TAIL) return;
  const size_t packed = size - FRONT - TAIL - head;
  for (int i = 0; i < 4; i++) p[12 + i] = (uint8_t)(packed >> (8 * i));
}

static void check_accepted(const train_record *r) {
  uint8_t *file = NULL;
  size_t size = 0;
  train_record again;
  FUZZ_PROMISE(r->A >= 1 && r->S >= 1 && r->prompt >= 1 && r->frames >= 0);
  FUZZ_PROMISE((r->run_count == 0) == (r->frames == 0));
  if (r->frames) FUZZ_PROMISE(train_record_run_at(r, r->run_count - 1)->end == r->frames);
  for (int64_t i = 0; i < r->frames; i += r->frames / 8 + 1)
    FUZZ_PROMISE(train_record_action(r, i) != NULL);
  FUZZ_PROMISE(train_record_write(r, &file, &size) == ORR_OK);
  FUZZ_PROMISE(train_record_read("again", file, size, &again) == ORR_OK);
  FUZZ_PROMISE(again.frames == r->frames && again.run_count == r->run_count);
  FUZZ_PROMISE(again.chain.lo == r->chain.lo);
  train_record_release(&again);
  orr_free(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  uint8_t *p = orr_malloc(size);
  train_record r;
  FUZZ_PROMISE(p);
  if (size) memcpy(p, data, size);
  if (size >= FRONT + TAIL) {
    put_length(p, size);
    put_sum(p, size);
  }
  const orr_code rc = train_record_read("session", p, size, &r);
  if (rc == ORR_OK)
    check_accepted(&r);
  else
    fuzz_check_refusal(rc);
  train_record_release(&r);
  orr_free(p);
  return 0;
}
