// The index of a data set: what is accepted adds up.
#include <string.h>

#include "data/set/index.h"
#include "data/remote/url.h"
#include "tests/fuzz/scratch.h"

static void check_index(const data_index *x) {
  int64_t frames = 0, episodes = 0;
  FUZZ_PROMISE(x->count >= 0);
  for (int64_t i = 0; i < x->count; i++) {
    const data_index_shard *s = &x->shards[i];
    FUZZ_PROMISE(s->file && data_url_is_name(s->file) && s->frames >= 0 && s->episodes >= 0);
    FUZZ_PROMISE(!strpbrk(s->file, "/\\%?#:@ ") && strncmp(s->file, "..", 2) != 0);
    frames += s->frames;
    episodes += s->episodes;
    int64_t clips = data_index_clips(x, i, 4, 2);
    FUZZ_PROMISE(clips >= 0 && clips <= s->frames);
  }
  FUZZ_PROMISE(frames == x->frames && episodes == x->episodes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  scratch_file("index.json", data, size);
  data_index *x = NULL;
  orr_code rc = data_index_open(scratch_folder(), &x);
  if (rc == ORR_OK)
    check_index(x);
  else
    fuzz_check_refusal(rc);
  data_index_close(x);
  return 0;
}
