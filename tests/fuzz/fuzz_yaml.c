// The configuration's parser: what it accepts must survive being printed and read again.
#include <string.h>

#include "base/mem.h"
#include "configs/config.h"
#include "tests/fuzz/fuzz.h"

static void check_printed(const cfg *c) {
  cfg *again;
  char *yaml;
  orr_hash128 a, b;
  FUZZ_PROMISE(cfg_print(c, &yaml) == ORR_OK);
  FUZZ_PROMISE(cfg_create(&again) == ORR_OK);
  FUZZ_PROMISE(cfg_read_text(again, "printed", yaml, strlen(yaml)) == ORR_OK);
  FUZZ_PROMISE(cfg_hash(c, &a) == ORR_OK && cfg_hash(again, &b) == ORR_OK);
  FUZZ_PROMISE(orr_hash_equal(a, b));
  cfg_destroy(again);
  orr_free(yaml);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  cfg *c;
  FUZZ_PROMISE(cfg_create(&c) == ORR_OK);
  orr_code rc = cfg_read_text(c, "fuzz", (const char *)data, size);
  if (rc == ORR_OK) {
    check_printed(c);
    rc = cfg_check(c); // rules between rows: either answer is fine, but it must come
  }
  if (rc != ORR_OK) fuzz_check_refusal(rc);
  cfg_destroy(c);
  return 0;
}
