#include "data/shard/shard.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "data/shard/column.h"
#include "data/shard/h5.h"
#include "data/shard/h5_attribute.h"
#include "data/shard/lzf.h"
#include "data/shard/format.h"
#include "data/shard/part.h"

struct data_shard {
  char *path;
  data_shard_format *format;
  data_h5_fault fault;
  int pin; // closed with the shard; -1 = none
  hid_t file;
  int fd; // of the open file, for reads beside HDF5
  atomic_int holders;
  int64_t frames, episodes;
  int64_t *offsets;
  data_column columns[DATA_SHARD_PARTS];
};

static data_column_source source_of(data_shard *s) {
  return (data_column_source){.file = s->file, .path = s->path, .fault = &s->fault};
}

// -- opening (lock held) --------------------------------------------------------------------

static orr_code check_rows(const data_shard *s) {
  for (int i = 0; i < DATA_SHARD_PARTS; i++) {
    const data_column *c = &s->columns[i];
    ORR_CHECK(!c->name || i == DATA_SHARD_SUCCESS || (int64_t)c->dims[0] == s->frames, ORR_EFORMAT,
              "%s: /%s has %" PRIu64 " rows, but /actions has %" PRId64
              "; all datasets have one row a frame",
              s->path, c->name, (uint64_t)c->dims[0], s->frames);
  }
  return ORR_OK;
}

static orr_code open_columns(data_shard *s) {
  const data_column_spec specs[DATA_SHARD_PARTS] = {
      [DATA_SHARD_FRAMES] = {"frames", 4, H5T_INTEGER, false, 1, 1, H5T_NATIVE_UINT8,
                             "u8 [frames,height,width,3]"},
      [DATA_SHARD_TOKENS] = {"tokens", 2, H5T_INTEGER, false, 2, 4, H5T_NATIVE_INT32,
                             "u16 or u32 [frames,tokens]"},
      [DATA_SHARD_ACTIONS] = {"actions", 2, H5T_FLOAT, true, 4, 4, H5T_NATIVE_FLOAT,
                              "f32 [frames,components]"},
      [DATA_SHARD_STATE] = {"state", 2, H5T_FLOAT, true, 4, 4, H5T_NATIVE_FLOAT,
                            "f32 [frames,components]"},
      [DATA_SHARD_REWARD] = {"reward", 1, H5T_FLOAT, true, 4, 4, H5T_NATIVE_FLOAT, "f32 [frames]"},
      [DATA_SHARD_DONE] = {"done", 1, H5T_INTEGER, false, 1, 1, H5T_NATIVE_UINT8, "u8 [frames]"},
      [DATA_SHARD_SUCCESS] = {"success", 1, H5T_INTEGER, false, 1, 1, H5T_NATIVE_UINT8,
                              "u8 [episodes]"},
  };
  const data_column_source from = source_of(s);
  const data_column *frames = &s->columns[DATA_SHARD_FRAMES];
  const data_column *actions = &s->columns[DATA_SHARD_ACTIONS];
  for (int i = 0; i < DATA_SHARD_PARTS; i++) {
    ORR_TRY(data_column_open(&from, &specs[i], &s->columns[i]));
  }
  ORR_CHECK(actions->name, ORR_EFORMAT, "%s: /actions is missing; wanted f32 [frames,components]",
            s->path);
  ORR_CHECK(frames->name || s->columns[DATA_SHARD_TOKENS].name, ORR_EFORMAT,
            "%s: neither /frames nor /tokens; wanted one of them", s->path);
  ORR_CHECK(!frames->name || frames->dims[3] == 3, ORR_EFORMAT,
            "%s: /frames has %" PRIu64 " channels, wanted 3 (red, green, blue)", s->path,
            (uint64_t)frames->dims[3]);
  ORR_CHECK(actions->dims[0] >= 1 && actions->dims[0] <= DATA_SHARD_FRAMES_MAX, ORR_EFORMAT,
            "%s: /actions has %" PRIu64 " rows, wanted 1 to 2^40", s->path,
            (uint64_t)actions->dims[0]);
  s->frames = (int64_t)actions->dims[0];
  return check_rows(s);
}

static orr_code check_offsets(const data_shard *s) {
  for (int64_t e = 0; e < s->episodes; e++) {
    ORR_CHECK(s->offsets[e] < s->offsets[e + 1], ORR_EFORMAT,
              "%s: /episode_offsets[%" PRId64 "] is %" PRId64 " and the next is %" PRId64
              "; wanted rising numbers",
              s->path, e, s->offsets[e], s->offsets[e + 1]);
  }
  ORR_CHECK(s->offsets[0] == 0 && s->offsets[s->episodes] == s->frames, ORR_EFORMAT,
            "%s: /episode_offsets go from %" PRId64 " to %" PRId64 ", wanted 0 to %" PRId64
            ", the number of frames",
            s->path, s->offsets[0], s->offsets[s->episodes], s->frames);
  return ORR_OK;
}

static orr_code read_offsets(data_shard *s) {
  const data_column_spec spec = {"episode_offsets", 1, H5T_INTEGER, true, 8, 8, H5T_NATIVE_INT64,
                                 "i64 [episodes+1]"};
  const data_column_source from = source_of(s);
  data_column c;
  orr_code rc = data_column_open(&from, &spec, &c);
  if (rc != ORR_OK) goto close_column;
  ORR_CHECK_GOTO(c.name, close_column, ORR_EFORMAT,
                 "%s: /episode_offsets is missing; wanted i64 [episodes+1]", s->path);
  ORR_CHECK_GOTO(c.dims[0] >= 2 && c.dims[0] - 1 <= (hsize_t)s->frames, close_column, ORR_EFORMAT,
                 "%s: /episode_offsets has %" PRIu64 " entries for %" PRId64
                 " frames; wanted one an episode, and one more",
                 s->path, (uint64_t)c.dims[0], s->frames);
  s->episodes = (int64_t)c.dims[0] - 1;
  s->offsets = orr_malloc((size_t)c.dims[0] * sizeof *s->offsets);
  ORR_CHECK_GOTO(s->offsets, close_column, ORR_ENOMEM, "%s: out of memory for %" PRId64 " episodes",
                 s->path, s->episodes);
  ORR_TRY_GOTO(data_column_read(&from, &c, 0, s->episodes + 1, 1, s->offsets), close_column);
  rc = check_offsets(s);
close_column:
  data_column_close(&c);
  return rc;
}

static orr_code check_success(const data_shard *s) {
  const data_column *c = &s->columns[DATA_SHARD_SUCCESS];
  ORR_CHECK(!c->name || (int64_t)c->dims[0] == s->episodes, ORR_EFORMAT,
            "%s: /success has %" PRIu64 " rows, but there are %" PRId64 " episodes", s->path,
            (uint64_t)c->dims[0], s->episodes);
  return ORR_OK;
}

static orr_code check_version(data_shard *s) {
  int64_t version = 0;
  ORR_CHECK(H5Aexists(s->file, "orrery_shard") > 0, ORR_EFORMAT,
            "%s: an HDF5 file, but no Orrery shard: attribute orrery_shard is missing", s->path);
  ORR_TRY(data_h5_get_i64(s->file, s->path, "orrery_shard", &version));
  ORR_CHECK(version == DATA_SHARD_VERSION, ORR_EFORMAT,
            "%s: a shard of version %" PRId64
            ", wanted version %d; write it again with this version "
            "of Orrery, or use the version that wrote it",
            s->path, version, DATA_SHARD_VERSION);
  return ORR_OK;
}

static orr_code check_count(const data_shard *s, const char *name, int64_t got, int64_t wanted) {
  ORR_CHECK(got == wanted, ORR_EFORMAT,
            "%s: attribute %s holds %" PRId64 " names, wanted %" PRId64 ", one a component",
            s->path, name, got, wanted);
  return ORR_OK;
}

static orr_code read_views(const data_shard *s, data_views *out) {
  char **text = NULL;
  int64_t one = 0;
  json_t *list = NULL;
  if (H5Aexists(s->file, "views") <= 0) return ORR_OK;
  ORR_TRY(data_h5_get_strings(s->file, s->path, "views", &text, &one));
  orr_code rc = orr_json_parse(s->path, text[0], strlen(text[0]), &list);
  if (rc == ORR_OK) rc = data_views_parse(list, s->path, out);
  json_decref(list);
  orr_free(text);
  return rc;
}

static orr_code read_format(data_shard *s) {
  orr_code rc = ORR_OK;
  int64_t one = 0, actions = 0, states = 0;
  char **branch = NULL, **source = NULL, **action_names = NULL, **state_names = NULL;
  const data_column *c = s->columns;
  data_shard_format f = {.A = (int64_t)c[DATA_SHARD_ACTIONS].dims[1]};
  if (c[DATA_SHARD_FRAMES].name) {
    f.height = (int64_t)c[DATA_SHARD_FRAMES].dims[1];
    f.width = (int64_t)c[DATA_SHARD_FRAMES].dims[2];
  }
  if (c[DATA_SHARD_TOKENS].name) f.S = (int64_t)c[DATA_SHARD_TOKENS].dims[1];
  f.reward = c[DATA_SHARD_REWARD].name != NULL;
  f.done = c[DATA_SHARD_DONE].name != NULL;
  f.success = c[DATA_SHARD_SUCCESS].name != NULL;
  if (c[DATA_SHARD_STATE].name) f.Q = (int64_t)c[DATA_SHARD_STATE].dims[1];
  if (f.S && H5Aexists(s->file, "codes") > 0) {
    ORR_TRY(data_h5_get_i64(s->file, s->path, "codes", &f.codes));
  }
  ORR_TRY(data_h5_get_f64(s->file, s->path, "fps", &f.fps));
  ORR_TRY_GOTO(data_h5_get_strings(s->file, s->path, "branch", &branch, &one), done);
  ORR_TRY_GOTO(data_h5_get_strings(s->file, s->path, "source", &source, &one), done);
  if (f.A || H5Aexists(s->file, "action_names") > 0)
    ORR_TRY_GOTO(data_h5_get_strings(s->file, s->path, "action_names", &action_names, &actions),
                 done);
  ORR_TRY_GOTO(check_count(s, "action_names", actions, f.A), done);
  if (f.Q) {
    ORR_TRY_GOTO(data_h5_get_strings(s->file, s->path, "state_names", &state_names, &states), done);
    ORR_TRY_GOTO(check_count(s, "state_names", states, f.Q), done);
  }
  ORR_TRY_GOTO(read_views(s, &f.views), done);
  f.branch = branch[0];
  f.source = source[0];
  f.action_names = (const char *const *)action_names;
  f.state_names = (const char *const *)state_names;
  rc = data_shard_format_check(&f, s->path);
  if (rc == ORR_EINVAL) rc = ORR_EFORMAT; // bytes from outside, not an argument
  if (rc == ORR_OK) rc = data_shard_format_copy(&f, &s->format);
done:
  orr_free(state_names);
  orr_free(action_names);
  orr_free(source);
  orr_free(branch);
  return rc;
}

static orr_code open_locked(data_shard *s) {
  ORR_TRY(data_lzf_register());
  s->file = data_h5_file_open(s->path, NULL, &s->fault);
  if (s->file < 0) {
    return data_h5_blame(&s->fault, s->path, "open it as an HDF5 file",
                         "it is truncated or something else; fetch or write it again");
  }
  const data_h5_window *w = data_h5_file_window(s->file);
  s->fd = w ? w->fd : -1;
  ORR_TRY(check_version(s));
  ORR_TRY(open_columns(s));
  ORR_TRY(read_offsets(s));
  ORR_TRY(check_success(s));
  return read_format(s);
}

orr_code data_shard_open(const char *path, data_shard **out) {
  orr_code rc = ORR_OK;
  data_shard *s = orr_calloc(1, sizeof *s);
  ORR_CHECK(s, ORR_ENOMEM, "%s: out of memory: cannot open it", path);
  atomic_init(&s->holders, 1);
  for (int i = 0; i < DATA_SHARD_PARTS; i++) {
    s->columns[i].set = s->columns[i].space = H5I_INVALID_HID;
  }
  s->file = H5I_INVALID_HID;
  s->pin = -1;
  s->path = orr_strdup(path);
  ORR_CHECK_GOTO(s->path, fail, ORR_ENOMEM, "%s: out of memory: cannot open it", path);
  data_h5_enter();
  rc = open_locked(s);
  data_h5_leave();
  if (rc != ORR_OK) goto fail;
  *out = s;
  return ORR_OK;
fail:
  data_shard_close(s);
  return rc;
}

void data_shard_share(data_shard *s) {
  atomic_fetch_add_explicit(&s->holders, 1, memory_order_relaxed);
}

void data_shard_close(data_shard *s) {
  if (!s || atomic_fetch_sub_explicit(&s->holders, 1, memory_order_acq_rel) > 1) return;
  data_h5_enter();
  for (int i = 0; i < DATA_SHARD_PARTS; i++) data_column_close(&s->columns[i]);
  if (s->file >= 0) H5Fclose(s->file);
  data_h5_leave();
  if (s->pin >= 0) close(s->pin);
  orr_free(s->offsets);
  orr_free(s->format);
  orr_free(s->path);
  orr_free(s);
}

void data_shard_hold(data_shard *s, int pin) {
  s->pin = pin;
}

const char *data_shard_path(const data_shard *s) {
  return s->path;
}

const data_shard_format *data_shard_get_format(const data_shard *s) {
  return s->format;
}

int64_t data_shard_frames(const data_shard *s) {
  return s->frames;
}

int64_t data_shard_episodes(const data_shard *s) {
  return s->episodes;
}

const int64_t *data_shard_offsets(const data_shard *s) {
  return s->offsets;
}

// -- reading --------------------------------------------------------------------------------

const data_column *data_shard_column(const data_shard *s, data_shard_part part, int *fd) {
  if (fd) *fd = s->fd;
  return &s->columns[part];
}

orr_code data_shard_read_by_hdf5(data_shard *s, data_shard_part part, int64_t first, int64_t n,
                                 int64_t stride, void *out) {
  const data_column_source from = source_of(s);
  data_h5_enter();
  orr_code rc = data_column_read(&from, &s->columns[part], first, n, stride, out);
  data_h5_leave();
  return rc;
}

static orr_code read_rows(data_shard *s, data_shard_part part, const char *name, int64_t first,
                          int64_t n, int64_t stride, void *out) {
  const data_column *c = &s->columns[part];
  const int64_t rows = part == DATA_SHARD_SUCCESS ? s->episodes : s->frames;
  ORR_CHECK(c->name, ORR_EINVAL, "%s: has no /%s, which was asked for", s->path, name);
  ORR_CHECK(
      n >= 1 && stride >= 1 && first >= 0 && first < rows && (n - 1) <= (rows - 1 - first) / stride,
      ORR_EINVAL,
      "%s: /%s rows %" PRId64 " + i * %" PRId64 ", i < %" PRId64 ", asked for; it has %" PRId64,
      s->path, name, first, stride, n, rows);
  if (!c->row_bytes) return ORR_OK; // no components
  if (!c->direct || c->unpack.count > 0) {
    return data_shard_read_by_hdf5(s, part, first, n, stride, out);
  }
  // narrow values go to the upper half and are widened from there
  size_t gap = (size_t)n * (c->row_bytes - c->file_row_bytes);
  data_read_counter tap = {.fd = s->fd, .path = s->path};
  ORR_TRY(data_column_pread(&tap, c, first, n, stride, (unsigned char *)out + gap));
  if (gap > 0) data_column_widen(out, n * (int64_t)c->dims[1]);
  return ORR_OK;
}

orr_code data_shard_read_frames(data_shard *s, int64_t first, int64_t n, int64_t stride,
                                uint8_t *out) {
  return read_rows(s, DATA_SHARD_FRAMES, "frames", first, n, stride, out);
}

orr_code data_shard_read_tokens(data_shard *s, int64_t first, int64_t n, int64_t stride,
                                int32_t *out) {
  return read_rows(s, DATA_SHARD_TOKENS, "tokens", first, n, stride, out);
}

orr_code data_shard_read_actions(data_shard *s, int64_t first, int64_t n, int64_t stride,
                                 float *out) {
  return read_rows(s, DATA_SHARD_ACTIONS, "actions", first, n, stride, out);
}

orr_code data_shard_read_state(data_shard *s, int64_t first, int64_t n, int64_t stride,
                               float *out) {
  return read_rows(s, DATA_SHARD_STATE, "state", first, n, stride, out);
}

orr_code data_shard_read_reward(data_shard *s, int64_t first, int64_t n, int64_t stride,
                                float *out) {
  return read_rows(s, DATA_SHARD_REWARD, "reward", first, n, stride, out);
}

orr_code data_shard_read_done(data_shard *s, int64_t first, int64_t n, int64_t stride,
                              uint8_t *out) {
  return read_rows(s, DATA_SHARD_DONE, "done", first, n, stride, out);
}

orr_code data_shard_read_success(data_shard *s, int64_t first, int64_t n, uint8_t *out) {
  return read_rows(s, DATA_SHARD_SUCCESS, "success", first, n, 1, out);
}
