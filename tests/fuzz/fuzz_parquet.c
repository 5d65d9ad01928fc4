// Parquet: an accepted column has as many rows as the file says, all of one width.
#include "base/mem.h"
#include "data/import/parquet/parquet.h"
#include "tests/fuzz/scratch.h"

#define ROWS_MAX 4096 // the seeds have forty

static void read_numbers(data_parquet *p, int column) {
  data_parquet_numbers n = {0};
  orr_code rc = data_parquet_read(p, column, 0, data_parquet_rows(p), &n);
  if (rc != ORR_OK) {
    fuzz_check_refusal(rc);
    return;
  }
  FUZZ_PROMISE(n.rows == data_parquet_rows(p) && n.width >= 0);
  volatile double last = n.width ? n.v[n.rows * n.width - 1] : 0;
  (void)last;
  orr_free(n.v);
}

static void read_bytes(data_parquet *p, int column) {
  data_parquet_values *v = NULL;
  orr_code rc = data_parquet_values_open(p, column, &v);
  for (int64_t row = 0; rc == ORR_OK && row < data_parquet_rows(p); row += 3) {
    const uint8_t *bytes;
    size_t size;
    rc = data_parquet_values_get(v, row, &bytes, &size);
    if (rc != ORR_OK) break;
    volatile uint8_t last = size ? bytes[size - 1] : 0;
    (void)last;
  }
  if (rc != ORR_OK) fuzz_check_refusal(rc);
  data_parquet_values_close(v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  data_parquet *p = NULL;
  orr_code rc = data_parquet_open(scratch_file("parquet", data, size), &p);
  if (rc != ORR_OK) {
    fuzz_check_refusal(rc);
    return 0;
  }
  if (data_parquet_rows(p) >= 1 && data_parquet_rows(p) <= ROWS_MAX) {
    for (int i = 0; i < data_parquet_columns(p); i++) {
      FUZZ_PROMISE(data_parquet_find(p, data_parquet_name(p, i)) >= 0);
      if (data_parquet_is_numbers(p, i)) read_numbers(p, i);
      if (data_parquet_is_bytes(p, i)) read_bytes(p, i);
    }
  }
  data_parquet_close(p);
  return 0;
}
