#include "data/shard.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "data/h5.h"
#include "data/h5_attribute.h"
#include "data/lzf.h"
#include "data/shard_format.h"

typedef struct {
  const char *name; // NULL: the shard has no such dataset
  int rank;
  hsize_t dims[4];
  hid_t set, space; // space: kept, so that a read only selects
  hid_t memory_type;
} dataset;

struct data_shard {
  char *path;
  data_shard_format *format;
  data_h5_fault fault;
  int pin; // closed with the shard; -1 = none
  hid_t file;
  int64_t frames, episodes;
  int64_t *offsets;
  dataset pictures, tokens, actions, state;
};

// The fault below HDF5 when there was one, else HDF5's own: bytes that are no shard.
static orr_code shard_fail(data_shard *s, const char *what, const char *remedy) {
  if (s->fault.rc == ORR_OK) {
    return data_h5_fail(ORR_EFORMAT, __FILE__, __LINE__, "%s: cannot %s; %s", s->path, what,
                        remedy);
  }
  orr_status_set(s->fault.message);
  return s->fault.rc;
}

// -- opening (lock held) ---------------------------------------------------------------------

// Access through which an unfiltered dataset is read straight from the file, only the rows wanted,
// and a filtered one through a cache of two chunks.
static hid_t dataset_access(hid_t set) {
  hsize_t chunk[8];
  hid_t create = H5Dget_create_plist(set), type = H5Dget_type(set);
  hid_t access = H5Pcreate(H5P_DATASET_ACCESS);
  if (create >= 0 && type >= 0 && access >= 0 && H5Pget_layout(create) == H5D_CHUNKED) {
    int rank = H5Pget_chunk(create, 8, chunk);
    size_t bytes = H5Tget_size(type) * 2;
    for (int i = 0; i < rank && i < 8; i++) bytes *= (size_t)chunk[i];
    H5Pset_chunk_cache(access, 521, H5Pget_nfilters(create) > 0 ? bytes : 0, 1.0);
  }
  if (type >= 0) H5Tclose(type);
  if (create >= 0) H5Pclose(create);
  return access;
}

static bool type_is(hid_t set, H5T_class_t class, bool is_signed, size_t a, size_t b) {
  hid_t type = H5Dget_type(set);
  if (type < 0) return false;
  size_t size = H5Tget_size(type);
  bool good = H5Tget_class(type) == class && (size == a || size == b);
  if (good && class == H5T_INTEGER) good = (H5Tget_sign(type) == H5T_SGN_2) == is_signed;
  H5Tclose(type);
  return good;
}

static orr_code dataset_check_filters(const data_shard *s, const dataset *d) {
  orr_code rc = ORR_OK;
  hid_t create = H5Dget_create_plist(d->set);
  H5_CHECK_GOTO(create >= 0, done, ORR_EFORMAT, "%s: cannot look at /%s", s->path, d->name);
  int filters = H5Pget_nfilters(create);
  for (int i = 0; i < filters; i++) {
    unsigned flags, config;
    size_t values = 0;
    char name[64] = "";
    H5Z_filter_t id =
        H5Pget_filter2(create, (unsigned)i, &flags, &values, NULL, sizeof name, name, &config);
    ORR_CHECK_GOTO(
        id >= 0 && H5Zfilter_avail(id) > 0, done, ORR_EUNSUPPORTED,
        "%s: /%s is packed with filter %d (%s); wanted none, gzip or lzf; write it again "
        "with one of them",
        s->path, d->name, (int)id, name);
  }
done:
  if (create >= 0) H5Pclose(create);
  return rc;
}

// Opens dataset `name` when it is there. class, sign and sizes a or b: the types it may have.
static orr_code dataset_open(data_shard *s, dataset *d, const char *name, int rank,
                             H5T_class_t class, bool is_signed, size_t a, size_t b,
                             const char *wanted, hid_t memory_type) {
  if (H5Lexists(s->file, name, H5P_DEFAULT) <= 0) return ORR_OK;
  hid_t plain = H5Dopen2(s->file, name, H5P_DEFAULT);
  if (plain < 0)
    return shard_fail(s, "open one of its datasets", "the file is damaged, fetch it again");
  hid_t access = dataset_access(plain);
  H5Dclose(plain); // the cache's size is fixed at the first open
  d->name = name;
  d->rank = rank;
  d->memory_type = memory_type;
  d->set = access < 0 ? H5I_INVALID_HID : H5Dopen2(s->file, name, access);
  if (access >= 0) H5Pclose(access);
  d->space = d->set < 0 ? H5I_INVALID_HID : H5Dget_space(d->set);
  if (d->space < 0)
    return shard_fail(s, "open one of its datasets", "the file is damaged, fetch it again");
  ORR_CHECK(H5Sget_simple_extent_ndims(d->space) == rank, ORR_EFORMAT,
            "%s: /%s has %d dimensions, wanted %d: %s", s->path, name,
            H5Sget_simple_extent_ndims(d->space), rank, wanted);
  H5Sget_simple_extent_dims(d->space, d->dims, NULL);
  ORR_CHECK(type_is(d->set, class, is_signed, a, b), ORR_EFORMAT,
            "%s: /%s has another type than a version %d shard, wanted %s", s->path, name,
            DATA_SHARD_VERSION, wanted);
  return dataset_check_filters(s, d);
}

static orr_code check_rows(const data_shard *s, const dataset *d) {
  ORR_CHECK(!d->name || (int64_t)d->dims[0] == s->frames, ORR_EFORMAT,
            "%s: /%s has %" PRIu64 " rows, but /actions has %" PRId64
            "; all datasets have one row a frame",
            s->path, d->name, (uint64_t)d->dims[0], s->frames);
  return ORR_OK;
}

static orr_code open_datasets(data_shard *s) {
  ORR_TRY(dataset_open(s, &s->pictures, "frames", 4, H5T_INTEGER, false, 1, 1,
                       "u8 [frames,height,width,3]", H5T_NATIVE_UINT8));
  ORR_TRY(dataset_open(s, &s->tokens, "tokens", 2, H5T_INTEGER, false, 2, 4,
                       "u16 or u32 [frames,tokens]", H5T_NATIVE_INT32));
  ORR_TRY(dataset_open(s, &s->actions, "actions", 2, H5T_FLOAT, true, 4, 4,
                       "f32 [frames,components]", H5T_NATIVE_FLOAT));
  ORR_TRY(dataset_open(s, &s->state, "state", 2, H5T_FLOAT, true, 4, 4, "f32 [frames,components]",
                       H5T_NATIVE_FLOAT));
  ORR_CHECK(s->actions.name, ORR_EFORMAT, "%s: /actions is missing; wanted f32 [frames,components]",
            s->path);
  ORR_CHECK(s->pictures.name || s->tokens.name, ORR_EFORMAT,
            "%s: neither /frames nor /tokens; wanted one of them", s->path);
  ORR_CHECK(!s->pictures.name || s->pictures.dims[3] == 3, ORR_EFORMAT,
            "%s: /frames has %" PRIu64 " channels, wanted 3 (red, green, blue)", s->path,
            (uint64_t)s->pictures.dims[3]);
  ORR_CHECK(s->actions.dims[0] >= 1 && s->actions.dims[0] <= DATA_SHARD_FRAMES_MAX, ORR_EFORMAT,
            "%s: /actions has %" PRIu64 " rows, wanted 1 to 2^40", s->path,
            (uint64_t)s->actions.dims[0]);
  s->frames = (int64_t)s->actions.dims[0];
  ORR_TRY(check_rows(s, &s->pictures));
  ORR_TRY(check_rows(s, &s->tokens));
  return check_rows(s, &s->state);
}

static orr_code read_offsets(data_shard *s) {
  dataset d = {.set = H5I_INVALID_HID, .space = H5I_INVALID_HID};
  orr_code rc = dataset_open(s, &d, "episode_offsets", 1, H5T_INTEGER, true, 8, 8,
                             "i64 [episodes+1]", H5T_NATIVE_INT64);
  if (rc != ORR_OK) goto done;
  ORR_CHECK_GOTO(d.name, done, ORR_EFORMAT,
                 "%s: /episode_offsets is missing; wanted i64 [episodes+1]", s->path);
  ORR_CHECK_GOTO(d.dims[0] >= 2 && d.dims[0] - 1 <= (hsize_t)s->frames, done, ORR_EFORMAT,
                 "%s: /episode_offsets has %" PRIu64 " entries for %" PRId64
                 " frames; wanted one an episode, and one more",
                 s->path, (uint64_t)d.dims[0], s->frames);
  s->episodes = (int64_t)d.dims[0] - 1;
  s->offsets = orr_malloc((size_t)d.dims[0] * sizeof *s->offsets);
  ORR_CHECK_GOTO(s->offsets, done, ORR_ENOMEM, "%s: no memory for %" PRId64 " episodes", s->path,
                 s->episodes);
  if (H5Dread(d.set, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, s->offsets) < 0) {
    rc = shard_fail(s, "read /episode_offsets", "the file is damaged, fetch it again");
    goto done;
  }
  for (int64_t e = 0; e < s->episodes; e++) {
    ORR_CHECK_GOTO(s->offsets[e] < s->offsets[e + 1], done, ORR_EFORMAT,
                   "%s: /episode_offsets[%" PRId64 "] is %" PRId64 " and the next is %" PRId64
                   "; wanted rising numbers",
                   s->path, e, s->offsets[e], s->offsets[e + 1]);
  }
  ORR_CHECK_GOTO(s->offsets[0] == 0 && s->offsets[s->episodes] == s->frames, done, ORR_EFORMAT,
                 "%s: /episode_offsets go from %" PRId64 " to %" PRId64 ", wanted 0 to %" PRId64
                 ", the number of frames",
                 s->path, s->offsets[0], s->offsets[s->episodes], s->frames);
done:
  if (d.space >= 0) H5Sclose(d.space);
  if (d.set >= 0) H5Dclose(d.set);
  return rc;
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

static orr_code read_format(data_shard *s) {
  orr_code rc = ORR_OK;
  int64_t one = 0, actions = 0, states = 0;
  char **branch = NULL, **source = NULL, **action_names = NULL, **state_names = NULL;
  data_shard_format f = {.A = (int64_t)s->actions.dims[1]};
  if (s->pictures.name)
    f.height = (int64_t)s->pictures.dims[1], f.width = (int64_t)s->pictures.dims[2];
  if (s->tokens.name) f.S = (int64_t)s->tokens.dims[1];
  if (s->state.name) f.Q = (int64_t)s->state.dims[1];
  if (f.S && H5Aexists(s->file, "codes") > 0) {
    ORR_TRY(data_h5_get_i64(s->file, s->path, "codes", &f.codes));
  }
  ORR_TRY(data_h5_get_f64(s->file, s->path, "fps", &f.fps));
  ORR_TRY_GOTO(data_h5_get_strings(s->file, s->path, "branch", &branch, &one), done);
  ORR_TRY_GOTO(data_h5_get_strings(s->file, s->path, "source", &source, &one), done);
  ORR_TRY_GOTO(data_h5_get_strings(s->file, s->path, "action_names", &action_names, &actions),
               done);
  ORR_TRY_GOTO(check_count(s, "action_names", actions, f.A), done);
  if (f.Q) {
    ORR_TRY_GOTO(data_h5_get_strings(s->file, s->path, "state_names", &state_names, &states), done);
    ORR_TRY_GOTO(check_count(s, "state_names", states, f.Q), done);
  }
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
  s->file = data_h5_file_open(s->path, &s->fault);
  if (s->file < 0) {
    return shard_fail(s, "open it as an HDF5 file",
                      "it is truncated or something else; fetch or write it again");
  }
  ORR_TRY(check_version(s));
  ORR_TRY(open_datasets(s));
  ORR_TRY(read_offsets(s));
  return read_format(s);
}

static void dataset_close(dataset *d) {
  if (d->space >= 0) H5Sclose(d->space);
  if (d->set >= 0) H5Dclose(d->set);
}

orr_code data_shard_open(const char *path, data_shard **out) {
  orr_code rc = ORR_OK;
  data_shard *s = orr_calloc(1, sizeof *s);
  ORR_CHECK(s, ORR_ENOMEM, "%s: no memory to open it", path);
  dataset *sets[] = {&s->pictures, &s->tokens, &s->actions, &s->state};
  for (int i = 0; i < 4; i++) sets[i]->set = sets[i]->space = H5I_INVALID_HID;
  s->file = H5I_INVALID_HID;
  s->pin = -1;
  s->path = orr_strdup(path);
  ORR_CHECK_GOTO(s->path, fail, ORR_ENOMEM, "%s: no memory to open it", path);
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

void data_shard_close(data_shard *s) {
  if (!s) return;
  data_h5_enter();
  dataset_close(&s->pictures);
  dataset_close(&s->tokens);
  dataset_close(&s->actions);
  dataset_close(&s->state);
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

// -- reading ---------------------------------------------------------------------------------

static orr_code read_locked(data_shard *s, dataset *d, int64_t first, int64_t n, int64_t stride,
                            void *out) {
  hsize_t start[4] = {(hsize_t)first}, step[4] = {(hsize_t)stride, 1, 1, 1};
  hsize_t count[4] = {(hsize_t)n};
  for (int i = 1; i < d->rank; i++) count[i] = d->dims[i];
  s->fault.rc = ORR_OK;
  hid_t memory = H5Screate_simple(d->rank, count, NULL);
  bool good = memory >= 0 &&
              H5Sselect_hyperslab(d->space, H5S_SELECT_SET, start, step, count, NULL) >= 0 &&
              H5Dread(d->set, d->memory_type, memory, d->space, H5P_DEFAULT, out) >= 0;
  if (memory >= 0) H5Sclose(memory);
  return good ? ORR_OK : shard_fail(s, "read its rows", "the file is damaged, fetch it again");
}

static orr_code read_rows(data_shard *s, dataset *d, const char *name, int64_t first, int64_t n,
                          int64_t stride, void *out) {
  ORR_CHECK(d->name, ORR_EINVAL, "%s: has no /%s, which was asked for", s->path, name);
  ORR_CHECK(n >= 1 && stride >= 1 && first >= 0 && first < s->frames &&
                (n - 1) <= (s->frames - 1 - first) / stride,
            ORR_EINVAL,
            "%s: /%s rows %" PRId64 " + i * %" PRId64 ", i < %" PRId64
            ", asked for; it has %" PRId64,
            s->path, name, first, stride, n, s->frames);
  data_h5_enter();
  orr_code rc = read_locked(s, d, first, n, stride, out);
  data_h5_leave();
  return rc;
}

orr_code data_shard_read_frames(data_shard *s, int64_t first, int64_t n, int64_t stride,
                                uint8_t *out) {
  return read_rows(s, &s->pictures, "frames", first, n, stride, out);
}

orr_code data_shard_read_tokens(data_shard *s, int64_t first, int64_t n, int64_t stride,
                                int32_t *out) {
  return read_rows(s, &s->tokens, "tokens", first, n, stride, out);
}

orr_code data_shard_read_actions(data_shard *s, int64_t first, int64_t n, int64_t stride,
                                 float *out) {
  return read_rows(s, &s->actions, "actions", first, n, stride, out);
}

orr_code data_shard_read_state(data_shard *s, int64_t first, int64_t n, int64_t stride,
                               float *out) {
  return read_rows(s, &s->state, "state", first, n, stride, out);
}
