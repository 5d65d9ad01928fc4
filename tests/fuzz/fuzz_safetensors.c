// The safetensors header: what is accepted covers the data of the file without overlap or hole. The
// input is a header with the data after it.
#include <string.h>

#include "checkpoints/safetensors.h"
#include "tests/fuzz/fuzz.h"

static void check_table(const ckpt_table *t, uint64_t file_bytes) {
  uint64_t at = t->header_bytes;
  for (int i = 0; i < t->count; i++) {
    const ckpt_entry *e = &t->entries[i];
    uint64_t bytes = ckpt_dtype_bytes(e->dtype);
    FUZZ_PROMISE(bytes > 0 && e->name && e->ndim >= 0 && e->ndim <= CKPT_NDIM_MAX);
    for (int d = 0; d < e->ndim; d++) {
      FUZZ_PROMISE(e->shape[d] >= 0);
      bytes *= (uint64_t)e->shape[d];
    }
    FUZZ_PROMISE(e->bytes == bytes && e->offset == at);
    at += bytes;
  }
  FUZZ_PROMISE(at == file_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  uint64_t header_bytes;
  ckpt_table table;
  if (size < 8) return 0;
  orr_code rc = ckpt_safetensors_length("fuzz", data, size, &header_bytes);
  if (rc == ORR_OK) {
    FUZZ_PROMISE(header_bytes <= size);
    rc = ckpt_safetensors_parse("fuzz", (const char *)data, header_bytes, size, &table);
    if (rc == ORR_OK) check_table(&table, size);
    ckpt_table_release(&table);
  }
  if (rc != ORR_OK) fuzz_check_refusal(rc);
  return 0;
}
