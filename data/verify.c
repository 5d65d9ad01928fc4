#include "data/verify.h"

#include <inttypes.h>
#include <math.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/hash.h"
#include "base/mem.h"
#include "data/shard_format.h"

#define ROWS 4096 // rows read at once

typedef orr_code (*read_fn)(data_shard *s, int64_t first, int64_t n, float *out);

static orr_code read_actions(data_shard *s, int64_t first, int64_t n, float *out) {
  return data_shard_read_actions(s, first, n, 1, out);
}

static orr_code read_state(data_shard *s, int64_t first, int64_t n, float *out) {
  return data_shard_read_state(s, first, n, 1, out);
}

static int64_t portion(int64_t first, int64_t frames) {
  return frames - first < ROWS ? frames - first : ROWS;
}

static orr_code check_numbers(data_shard *s, const char *name, int64_t width, read_fn read) {
  int64_t frames = data_shard_frames(s);
  float *v = orr_malloc((size_t)(ROWS * width) * sizeof *v);
  orr_code rc = ORR_OK;
  ORR_CHECK(v, ORR_ENOMEM, "%s: no memory to check /%s", data_shard_path(s), name);
  for (int64_t first = 0; first < frames; first += ROWS) {
    int64_t n = portion(first, frames);
    ORR_TRY_GOTO(read(s, first, n, v), done);
    for (int64_t i = 0; i < n * width; i++) {
      ORR_CHECK_GOTO(isfinite(v[i]), done, ORR_EFORMAT,
                     "%s: /%s[%" PRId64 ",%" PRId64
                     "] is %g, wanted a finite number; write the shard "
                     "again",
                     data_shard_path(s), name, first + i / width, i % width, (double)v[i]);
    }
  }
done:
  orr_free(v);
  return rc;
}

static orr_code check_tokens(data_shard *s) {
  const data_shard_format *f = data_shard_get_format(s);
  int64_t frames = data_shard_frames(s);
  int32_t *v = orr_malloc((size_t)(ROWS * f->S) * sizeof *v);
  orr_code rc = ORR_OK;
  ORR_CHECK(v, ORR_ENOMEM, "%s: no memory to check /tokens", data_shard_path(s));
  for (int64_t first = 0; first < frames; first += ROWS) {
    int64_t n = portion(first, frames);
    ORR_TRY_GOTO(data_shard_read_tokens(s, first, n, 1, v), done);
    for (int64_t i = 0; f->codes > 0 && i < n * f->S; i++) {
      ORR_CHECK_GOTO(v[i] >= 0 && v[i] < f->codes, done, ORR_EFORMAT,
                     "%s: /tokens[%" PRId64 ",%" PRId64 "] is %d, wanted 0 to %" PRId64
                     "; write the shard again",
                     data_shard_path(s), first + i / f->S, i % f->S, v[i], f->codes - 1);
    }
  }
done:
  orr_free(v);
  return rc;
}

static orr_code check_lengths(const data_shard *s, const data_index_shard *listed) {
  const int64_t *offsets = data_shard_offsets(s);
  ORR_CHECK(data_shard_frames(s) == listed->frames && data_shard_episodes(s) == listed->episodes,
            ORR_EFORMAT,
            "%s: %" PRId64 " frames in %" PRId64 " episodes, but index.json says %" PRId64
            " in %" PRId64 "; build the index again",
            data_shard_path(s), data_shard_frames(s), data_shard_episodes(s), listed->frames,
            listed->episodes);
  for (int64_t k = 0; k < listed->length_count; k++) {
    int64_t found = 0;
    for (int64_t e = 0; e < listed->episodes; e++) {
      found += offsets[e + 1] - offsets[e] == listed->lengths[k][0];
    }
    ORR_CHECK(found == listed->lengths[k][1], ORR_EFORMAT,
              "%s: %" PRId64 " episodes of %" PRId64 " frames, but index.json says %" PRId64
              "; build the index again",
              data_shard_path(s), found, listed->lengths[k][0], listed->lengths[k][1]);
  }
  return ORR_OK;
}

static orr_code check_content(const data_index *x, const data_index_shard *listed, data_shard *s) {
  const data_shard_format *f = data_shard_get_format(s);
  ORR_TRY(data_shard_format_equal(&x->format, "index.json", f, data_shard_path(s)));
  ORR_TRY(check_lengths(s, listed));
  ORR_TRY(check_numbers(s, "actions", f->A, read_actions));
  if (f->Q) ORR_TRY(check_numbers(s, "state", f->Q, read_state));
  return f->S ? check_tokens(s) : ORR_OK;
}

static orr_code verify_file(const data_index *x, const data_index_shard *listed, const char *path) {
  data_shard *s = NULL;
  orr_hash128 hash;
  uint64_t bytes = 0;
  ORR_TRY(orr_fs_size(path, &bytes));
  ORR_CHECK(bytes == listed->bytes, ORR_ECORRUPT,
            "%s: %" PRIu64 " bytes, but index.json says %" PRIu64
            "; fetch or write the shard again",
            path, bytes, listed->bytes);
  // The content before the checksum: where it can tell the place, it does.
  ORR_TRY(data_shard_open(path, &s));
  orr_code rc = check_content(x, listed, s);
  data_shard_close(s);
  ORR_TRY(rc);
  ORR_TRY(orr_hash_file(path, &hash, &bytes));
  ORR_CHECK(orr_hash_equal(hash, listed->hash), ORR_ECORRUPT,
            "%s: its XXH3-128 is %s, but index.json says %s; fetch or write the shard again", path,
            orr_hash_to_hex(hash).s, orr_hash_to_hex(listed->hash).s);
  return ORR_OK;
}

orr_code data_verify_shard(const data_index *x, int64_t i) {
  char path[4096];
  int pin = -1;
  ORR_TRY(data_index_pin(x, i, path, sizeof path, &pin));
  orr_code rc = verify_file(x, &x->shards[i], path);
  if (pin >= 0) close(pin);
  return rc;
}
