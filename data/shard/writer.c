// The writer gathers rows in one buffer a dataset and hands HDF5 whole chunks, row by row in step
// over the datasets: where a chunk lands in the file then depends on the frames alone, not on the
// portions in which they came.
#include "data/shard/writer.h"

#include <inttypes.h>
#include <libgen.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "data/shard/h5.h"
#include "data/shard/h5_attribute.h"
#include "data/shard/lzf.h"
#include "data/shard/format.h"

#define PICTURE_CHUNK_BYTES                                                                        \
  ((size_t)512 << 10) // frames, tokens: one read of a disk or an object store
#define NUMBER_CHUNK_BYTES ((size_t)64 << 10) // actions, state: a clip needs little of them

enum {
  COLUMN_FRAMES,
  COLUMN_TOKENS,
  COLUMN_ACTIONS,
  COLUMN_STATE,
  COLUMN_REWARD,
  COLUMN_DONE,
  COLUMNS
};

typedef struct {
  const char *name; // NULL: the shard has no such dataset
  int rank;
  hsize_t dims[4]; // of one row, after the first
  hid_t file_type, memory_type;
  size_t row_bytes;      // in memory
  size_t file_row_bytes; // in the file, before any filter
  int64_t chunk_rows;
  unsigned char *buffer; // [chunk_rows] rows
  int64_t filled, written;
  hid_t set; // made with the first chunk, so that a short shard gets a short chunk
} column;

struct data_shard_writer {
  char *path, *temporary;
  data_shard_format *format;
  data_filter filter;
  data_h5_fault fault;
  hid_t file;
  bool finished;
  column columns[COLUMNS];
  int64_t *offsets; // [offset_room]: first frame of each episode
  uint8_t *success; // [offset_room], of each episode
  int64_t episodes, offset_room;
  bool judged; // the episode being written has its success
  int64_t frames;
};

static orr_code column_setup(column *c, const char *name, hid_t file_type, hid_t memory_type,
                             const int64_t *dims, int rank, size_t chunk_bytes) {
  c->name = name;
  c->rank = rank;
  c->file_type = file_type;
  c->memory_type = memory_type;
  c->row_bytes = H5Tget_size(memory_type);
  c->file_row_bytes = H5Tget_size(file_type);
  for (int i = 1; i < rank; i++) {
    c->dims[i] = (hsize_t)dims[i - 1];
    c->row_bytes *= (size_t)dims[i - 1];
    c->file_row_bytes *= (size_t)dims[i - 1];
  }
  c->chunk_rows = 1; // a power of two: shards of round numbers of frames then have no unused end
  while (2 * (size_t)c->chunk_rows * c->file_row_bytes <= chunk_bytes) c->chunk_rows *= 2;
  c->buffer = orr_malloc((size_t)c->chunk_rows * c->row_bytes);
  ORR_CHECK(c->buffer, ORR_ENOMEM, "%s of a shard: out of memory for a chunk of %zu bytes", name,
            (size_t)c->chunk_rows * c->row_bytes);
  return ORR_OK;
}

static orr_code columns_setup(data_shard_writer *w) {
  const data_shard_format *f = w->format;
  column *c = w->columns;
  hid_t token = f->codes <= 65536 ? H5T_STD_U16LE : H5T_STD_U32LE;
  if (f->height) {
    ORR_TRY(column_setup(&c[COLUMN_FRAMES], "frames", H5T_STD_U8LE, H5T_NATIVE_UINT8,
                         (int64_t[]){f->height, f->width, 3}, 4, PICTURE_CHUNK_BYTES));
  }
  if (f->S) {
    ORR_TRY(column_setup(&c[COLUMN_TOKENS], "tokens", token, H5T_NATIVE_INT32, &f->S, 2,
                         PICTURE_CHUNK_BYTES));
  }
  if (f->A) {
    ORR_TRY(column_setup(&c[COLUMN_ACTIONS], "actions", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, &f->A, 2,
                         NUMBER_CHUNK_BYTES));
  }
  if (f->Q) {
    ORR_TRY(column_setup(&c[COLUMN_STATE], "state", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, &f->Q, 2,
                         NUMBER_CHUNK_BYTES));
  }
  if (f->reward)
    ORR_TRY(column_setup(&c[COLUMN_REWARD], "reward", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, NULL, 1,
                         NUMBER_CHUNK_BYTES));
  if (f->done)
    ORR_TRY(column_setup(&c[COLUMN_DONE], "done", H5T_STD_U8LE, H5T_NATIVE_UINT8, NULL, 1,
                         NUMBER_CHUNK_BYTES));
  return ORR_OK;
}

// The fault below HDF5 when there was one, else HDF5's own.
static orr_code writer_fail(data_shard_writer *w, const char *what) {
  if (w->fault.rc == ORR_OK) {
    return data_h5_fail(ORR_EIO, __FILE__, __LINE__, "%s: cannot write %s", w->path, what);
  }
  orr_status_set(w->fault.message);
  return w->fault.rc;
}

static bool put_views(hid_t file, const data_views *v) {
  json_t *list = data_views_json(v);
  char *text = list ? json_dumps(list, JSON_COMPACT) : NULL;
  const char *const texts[] = {text};
  const bool good = text && data_h5_put_strings(file, "views", texts, 0);
  free(text); // jansson's, not orr_malloc's
  json_decref(list);
  return good;
}

static bool put_attributes(hid_t file, const data_shard_format *f) {
  return data_h5_put_i64(file, "orrery_shard", DATA_SHARD_VERSION) &&
         data_h5_put_strings(file, "branch", &f->branch, 0) &&
         data_h5_put_strings(file, "source", &f->source, 0) &&
         data_h5_put_f64(file, "fps", f->fps) &&
         (f->A == 0 || data_h5_put_strings(file, "action_names", f->action_names, f->A)) &&
         (f->Q == 0 || data_h5_put_strings(file, "state_names", f->state_names, f->Q)) &&
         (f->S == 0 || data_h5_put_i64(file, "codes", f->codes)) &&
         (f->views.n == 0 || put_views(file, &f->views));
}

// -- datasets -------------------------------------------------------------------------------

static bool put_filter(hid_t create, data_filter filter, size_t chunk_bytes) {
  // as h5py sets them: version of its filter, version of LibLZF, bytes of an unpacked chunk
  const unsigned values[] = {4, 0x0105, (unsigned)chunk_bytes};
  switch (filter) {
  case DATA_FILTER_NONE:
    return true;
  case DATA_FILTER_GZIP:
    return H5Pset_deflate(create, 4) >= 0;
  case DATA_FILTER_LZF:
    return data_lzf_register() == ORR_OK &&
           H5Pset_filter(create, DATA_LZF_FILTER, H5Z_FLAG_OPTIONAL, 3, values) >= 0;
  }
  return false;
}

static bool column_create(column *c, hid_t file, int64_t chunk_rows, data_filter filter) {
  hsize_t zero[4] = {0}, most[4] = {H5S_UNLIMITED}, chunk[4] = {(hsize_t)chunk_rows};
  for (int i = 1; i < c->rank; i++) zero[i] = most[i] = chunk[i] = c->dims[i];
  hid_t space = H5Screate_simple(c->rank, zero, most);
  hid_t create = H5Pcreate(H5P_DATASET_CREATE), access = H5Pcreate(H5P_DATASET_ACCESS);
  bool good = space >= 0 && create >= 0 && access >= 0 &&
              H5Pset_obj_track_times(create, false) >= 0 &&
              H5Pset_chunk(create, c->rank, chunk) >= 0 &&
              // the unused end of the last chunk must not hold whatever was in memory
              H5Pset_fill_time(create, H5D_FILL_TIME_ALLOC) >= 0 &&
              H5Pset_chunk_cache(access, 1, 0, 1.0) >= 0; // chunks are written once, whole
  if (good) good = put_filter(create, filter, (size_t)chunk_rows * c->file_row_bytes);
  if (good) c->set = H5Dcreate2(file, c->name, c->file_type, space, H5P_DEFAULT, create, access);
  if (access >= 0) H5Pclose(access);
  if (create >= 0) H5Pclose(create);
  if (space >= 0) H5Sclose(space);
  return good && c->set >= 0;
}

// Writes the buffered rows after those written before.
static bool column_write(column *c) {
  hsize_t size[4] = {(hsize_t)(c->written + c->filled)}, first[4] = {(hsize_t)c->written};
  hsize_t count[4] = {(hsize_t)c->filled};
  for (int i = 1; i < c->rank; i++) size[i] = count[i] = c->dims[i];
  if (H5Dset_extent(c->set, size) < 0) return false;
  hid_t in_file = H5Dget_space(c->set), in_memory = H5Screate_simple(c->rank, count, NULL);
  bool good = in_file >= 0 && in_memory >= 0 &&
              H5Sselect_hyperslab(in_file, H5S_SELECT_SET, first, NULL, count, NULL) >= 0 &&
              H5Dwrite(c->set, c->memory_type, in_memory, in_file, H5P_DEFAULT, c->buffer) >= 0;
  if (in_memory >= 0) H5Sclose(in_memory);
  if (in_file >= 0) H5Sclose(in_file);
  c->written += c->filled;
  c->filled = 0;
  return good;
}

static orr_code column_flush(data_shard_writer *w, column *c) {
  if (c->filled == 0) return ORR_OK;
  data_h5_enter();
  bool good = (c->set >= 0 || column_create(c, w->file, c->filled, w->filter)) && column_write(c);
  orr_code rc = good && w->fault.rc == ORR_OK ? ORR_OK : writer_fail(w, c->name);
  data_h5_leave();
  return rc;
}

// Writes a whole dataset; NULL: one without a single value.
static bool put_whole(data_shard_writer *w, const char *name, hid_t file_type, int rank,
                      const hsize_t *dims, hid_t memory_type, const void *values) {
  hid_t space = H5Screate_simple(rank, dims, NULL);
  hid_t create = H5Pcreate(H5P_DATASET_CREATE), set = H5I_INVALID_HID;
  bool good = space >= 0 && create >= 0 && H5Pset_obj_track_times(create, false) >= 0;
  if (good) set = H5Dcreate2(w->file, name, file_type, space, H5P_DEFAULT, create, H5P_DEFAULT);
  good = set >= 0;
  if (good && values) good = H5Dwrite(set, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0;
  if (set >= 0) H5Dclose(set);
  if (create >= 0) H5Pclose(create);
  if (space >= 0) H5Sclose(space);
  return good;
}

// What has an entry an episode, and actions that have no components.
static bool put_lists(data_shard_writer *w) {
  const hsize_t episodes = (hsize_t)w->episodes, count = episodes + 1;
  const hsize_t none[2] = {(hsize_t)w->frames, 0};
  return put_whole(w, "episode_offsets", H5T_STD_I64LE, 1, &count, H5T_NATIVE_INT64, w->offsets) &&
         (!w->format->success ||
          put_whole(w, "success", H5T_STD_U8LE, 1, &episodes, H5T_NATIVE_UINT8, w->success)) &&
         (w->format->A || put_whole(w, "actions", H5T_IEEE_F32LE, 2, none, H5T_NATIVE_FLOAT, NULL));
}

// -- the writer -----------------------------------------------------------------------------

static orr_code writer_open_file(data_shard_writer *w) {
  data_h5_enter();
  w->file = data_h5_file_create(w->temporary, &w->fault);
  bool good = w->file >= 0 && put_attributes(w->file, w->format) && w->fault.rc == ORR_OK;
  orr_code rc = good ? ORR_OK : writer_fail(w, "the shard");
  data_h5_leave();
  return rc;
}

orr_code data_shard_writer_create(const char *path, const data_shard_format *format,
                                  data_filter filter, data_shard_writer **out) {
  orr_code rc = ORR_OK;
  ORR_TRY(data_shard_format_check(format, path));
  ORR_CHECK(format->S == 0 || format->codes > 0, ORR_EINVAL,
            "%s: tokens without their number of codes; give codes, the product of the levels",
            path);
  data_shard_writer *w = orr_calloc(1, sizeof *w);
  ORR_CHECK(w, ORR_ENOMEM, "%s: out of memory for its writer", path);
  w->file = H5I_INVALID_HID;
  for (int i = 0; i < COLUMNS; i++) w->columns[i].set = H5I_INVALID_HID;
  w->filter = filter;
  w->offset_room = 64;
  w->offsets = orr_malloc((size_t)w->offset_room * sizeof *w->offsets);
  w->success = orr_calloc((size_t)w->offset_room, sizeof *w->success);
  w->path = orr_strdup(path);
  w->temporary = orr_format("%s.tmp", path);
  ORR_CHECK_GOTO(w->offsets && w->success && w->path && w->temporary, fail, ORR_ENOMEM,
                 "%s: out of memory for its writer", path);
  ORR_TRY_GOTO(data_shard_format_copy(format, &w->format), fail);
  data_h5_enter(); // HDF5's types come into being with its first call
  rc = columns_setup(w);
  data_h5_leave();
  if (rc != ORR_OK) goto fail;
  ORR_TRY_GOTO(writer_open_file(w), fail);
  w->offsets[0] = 0;
  *out = w;
  return ORR_OK;
fail:
  data_shard_writer_destroy(w);
  return rc;
}

static orr_code check_finite(const data_shard_writer *w, const char *name, const float *p,
                             int64_t n, int64_t width) {
  for (int64_t i = 0; i < n * width; i++) {
    ORR_CHECK(isfinite(p[i]), ORR_EINVAL,
              "%s: %s of frame %" PRId64 ", component %" PRId64 ", is %g; wanted a finite number",
              w->path, name, w->frames + i / width, i % width, (double)p[i]);
  }
  return ORR_OK;
}

static orr_code check_rows(const data_shard_writer *w, const data_shard_rows *r) {
  const data_shard_format *f = w->format;
  ORR_CHECK(r->n > 0, ORR_EINVAL, "%s: %" PRId64 " frames to append, wanted at least 1", w->path,
            r->n);
  ORR_CHECK(!r->frames == !f->height && !r->tokens == !f->S && (r->actions || !f->A) &&
                !r->state == !f->Q && !r->reward == !f->reward && !r->done == !f->done,
            ORR_EINVAL, "%s: rows to append have other datasets than the shard's format", w->path);
  for (int64_t i = 0; f->S && i < r->n * f->S; i++) {
    ORR_CHECK(r->tokens[i] >= 0 && r->tokens[i] < f->codes, ORR_EINVAL,
              "%s: token %" PRId64 " of frame %" PRId64 " is %d, wanted 0 to %" PRId64, w->path,
              i % f->S, w->frames + i / f->S, r->tokens[i], f->codes - 1);
  }
  ORR_TRY(check_finite(w, "action", r->actions, r->n, f->A));
  if (f->Q) ORR_TRY(check_finite(w, "state", r->state, r->n, f->Q));
  if (f->reward) ORR_TRY(check_finite(w, "reward", r->reward, r->n, 1));
  for (int64_t i = 0; f->done && i < r->n; i++)
    ORR_CHECK(r->done[i] <= 1, ORR_EINVAL, "%s: done of frame %" PRId64 " is %d, wanted 0 or 1",
              w->path, w->frames + i, r->done[i]);
  return ORR_OK;
}

orr_code data_shard_writer_append(data_shard_writer *w, const data_shard_rows *r) {
  const void *const rows[COLUMNS] = {r->frames, r->tokens, w->format->A ? r->actions : NULL,
                                     r->state,  r->reward, r->done};
  ORR_TRY(check_rows(w, r));
  for (int64_t i = 0; i < r->n; i++) {
    for (int k = 0; k < COLUMNS; k++) {
      column *c = &w->columns[k];
      if (!c->name) continue;
      memcpy(c->buffer + (size_t)c->filled * c->row_bytes,
             (const unsigned char *)rows[k] + (size_t)i * c->row_bytes, c->row_bytes);
      if (++c->filled == c->chunk_rows) ORR_TRY(column_flush(w, c));
    }
  }
  w->frames += r->n;
  return ORR_OK;
}

orr_code data_shard_writer_set_success(data_shard_writer *w, uint8_t success) {
  ORR_CHECK(w->format->success && !w->judged && success <= 1, ORR_EINVAL,
            "%s: success %d of episode %" PRId64
            "; wanted 0 or 1, once for each episode, in a format "
            "that has it",
            w->path, success, w->episodes);
  w->success[w->episodes] = success;
  w->judged = true;
  return ORR_OK;
}

orr_code data_shard_writer_end_episode(data_shard_writer *w) {
  ORR_CHECK(w->judged == w->format->success, ORR_EINVAL,
            "%s: nothing says whether episode %" PRId64 " succeeded", w->path, w->episodes);
  ORR_CHECK(w->frames > w->offsets[w->episodes], ORR_EINVAL,
            "%s: episode %" PRId64 " has no frames", w->path, w->episodes);
  if (w->episodes + 2 > w->offset_room) {
    int64_t room = 2 * w->offset_room;
    int64_t *p = orr_realloc(w->offsets, (size_t)room * sizeof *p);
    ORR_CHECK(p, ORR_ENOMEM, "%s: out of memory for %" PRId64 " episodes", w->path, room);
    w->offsets = p;
    uint8_t *success = orr_realloc(w->success, (size_t)room * sizeof *success);
    ORR_CHECK(success, ORR_ENOMEM, "%s: out of memory for %" PRId64 " episodes", w->path, room);
    w->success = success;
    w->offset_room = room;
  }
  w->offsets[++w->episodes] = w->frames;
  w->judged = false;
  return ORR_OK;
}

// Closes what is open in HDF5, in peace whatever happened before. Lock held.
static bool close_all(data_shard_writer *w) {
  bool good = true;
  for (int i = 0; i < COLUMNS; i++) {
    if (w->columns[i].set >= 0 && H5Dclose(w->columns[i].set) < 0) good = false;
    w->columns[i].set = H5I_INVALID_HID;
  }
  if (w->file >= 0 && H5Fclose(w->file) < 0) good = false;
  w->file = H5I_INVALID_HID;
  return good;
}

static orr_code sync_parent(const char *path) {
  char *copy = orr_strdup(path);
  ORR_CHECK(copy, ORR_ENOMEM, "%s: out of memory for its folder's name", path);
  orr_code rc = orr_fs_fsync_dir(dirname(copy));
  orr_free(copy);
  return rc;
}

orr_code data_shard_writer_finish(data_shard_writer *w) {
  ORR_CHECK(w->file >= 0, ORR_EINVAL, "%s: finished twice", w->path);
  ORR_CHECK(w->episodes > 0 && w->offsets[w->episodes] == w->frames, ORR_EINVAL,
            "%s: %s; end every episode, and write one at least", w->path,
            w->episodes ? "its last episode is not ended" : "no episode");
  for (int i = 0; i < COLUMNS; i++) ORR_TRY(column_flush(w, &w->columns[i]));
  data_h5_enter();
  bool good = put_lists(w);
  good = close_all(w) && good && w->fault.rc == ORR_OK;
  orr_code rc = good ? ORR_OK : writer_fail(w, "the shard");
  data_h5_leave();
  ORR_TRY(rc);
  ORR_TRY(orr_fs_rename(w->temporary, w->path));
  w->finished = true;
  return sync_parent(w->path);
}

void data_shard_writer_destroy(data_shard_writer *w) {
  if (!w) return;
  data_h5_enter();
  // Nobody wants these bytes any more: spare the disk.
  if (w->fault.rc == ORR_OK) w->fault.rc = ORR_ESTOPPED;
  bool created = w->file >= 0 || w->format;
  close_all(w);
  data_h5_leave();
  if (!w->finished && created && w->temporary) unlink(w->temporary);
  for (int i = 0; i < COLUMNS; i++) orr_free(w->columns[i].buffer);
  orr_free(w->format);
  orr_free(w->temporary);
  orr_free(w->path);
  orr_free(w->success);
  orr_free(w->offsets);
  orr_free(w);
}
