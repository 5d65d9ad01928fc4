// What a policy server answers: MessagePack, and an array of actions in it. It is an array whose
// data lie in the message, or a refusal.
#include "tests/fuzz/fuzz.h"
#include "train/policy/msgpack.h"

static void check_array(const train_msgpack_ndarray *a, const uint8_t *data, size_t size) {
  int64_t elements = 1;
  FUZZ_PROMISE(a->dims >= 0 && a->dims <= 8);
  for (int i = 0; i < a->dims; i++) {
    FUZZ_PROMISE(a->shape[i] >= 0);
    elements *= a->shape[i];
  }
  FUZZ_PROMISE(elements >= 0 && (uint64_t)elements <= size);
  FUZZ_PROMISE(elements == 0 || (a->data >= data && a->data + a->bytes <= data + size));
  for (int64_t i = 0; i < elements; i++) {
    double v = 0.0;
    const orr_code rc = train_msgpack_element(a, i, &v);
    if (rc == ORR_OK) continue;
    fuzz_check_refusal(rc);
    return;
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  train_msgpack_cursor c = {data, data + size};
  train_msgpack_ndarray a;
  bool found = false;
  orr_code rc = train_msgpack_skip(&c);
  if (rc != ORR_OK) fuzz_check_refusal(rc);
  FUZZ_PROMISE(c.at >= data && c.at <= data + size);
  c = (train_msgpack_cursor){data, data + size};
  rc = train_msgpack_find(&c, "actions", &found);
  if (rc == ORR_OK && found) {
    rc = train_msgpack_read_array(c, &a);
    if (rc == ORR_OK) check_array(&a, data, size);
  }
  if (rc != ORR_OK) fuzz_check_refusal(rc);
  return 0;
}
