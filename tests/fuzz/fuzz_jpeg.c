// JPEGs: what is decoded has a size, and all its bytes are there.
#include "data/pictures/jpeg.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  data_jpeg *j;
  data_picture p;
  FUZZ_PROMISE(data_jpeg_create(&j) == ORR_OK);
  orr_code rc = data_jpeg_decode(j, "fuzz", data, size, &p);
  if (rc == ORR_OK) {
    unsigned sum = 0;
    FUZZ_PROMISE(p.height >= 1 && p.width >= 1);
    for (int64_t i = 0; i < p.height * p.width * 3; i++) sum += p.rgb[i];
    FUZZ_PROMISE(sum <= 255u * (unsigned)(p.height * p.width * 3));
  } else {
    fuzz_check_refusal(rc);
  }
  data_jpeg_destroy(j);
  return 0;
}
