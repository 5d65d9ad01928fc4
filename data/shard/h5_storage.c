// A chunk that was never written has no bytes in the file. Contiguous data has none at all, or may
// have been written in part without leaving a trace.
#include "data/shard/h5_storage.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"
#include "data/shard/h5.h"

#define NESTED_MAX 8 // virtual datasets of virtual datasets; beyond it is a circle
#define BLOCKS_MAX (1 << 20)
#define WALK_MAX   (1 << 22) // chunks, one after the other

// -- links ----------------------------------------------------------------------------------

// What the link `part` is, in words; false for a plain one.
static bool describe_link(hid_t file, const char *part, char *words, size_t size) {
  H5L_info_t info;
  char value[2048] = "";
  const char *other = NULL, *object = NULL;
  unsigned flags = 0;
  if (H5Lget_info(file, part, &info, H5P_DEFAULT) < 0 || info.type == H5L_TYPE_HARD) return false;
  bool read = H5Lget_val(file, part, value, sizeof value - 1, H5P_DEFAULT) >= 0;
  if (info.type == H5L_TYPE_SOFT)
    snprintf(words, size, "a soft link to %s", read ? value : "?");
  else if (info.type == H5L_TYPE_EXTERNAL && read &&
           H5Lunpack_elink_val(value, sizeof value, &flags, &other, &object) >= 0)
    snprintf(words, size, "an external link to %s:%s", other, object);
  else
    snprintf(words, size, "a link of another kind (%d)", (int)info.type);
  return true;
}

// What to say of a file that an open one refers to and that cannot be read.
static void describe_refusal(hid_t file, char *words, size_t size) {
  const data_h5_window *w = data_h5_file_window(file);
  if (!w || !w->fault->refused[0])
    snprintf(words, size, "which is not there");
  else if (w->others)
    snprintf(words, size,
             "but %s lies outside of %s; give import a folder that holds both, or copy the data "
             "into this file",
             w->fault->refused, w->others->root);
  else
    snprintf(words, size, "but other files are not read from here");
}

orr_code data_h5_check_links(hid_t file, const char *path, const char *name) {
  char part[1024], words[2200], why[2400];
  size_t n = strlen(name);
  data_h5_window *w = data_h5_file_window(file);
  if (n == 0 || n >= sizeof part) return ORR_OK;
  for (size_t i = 1; i <= n; i++) {
    if (name[i] != '/' && name[i] != 0) continue;
    memcpy(part, name, i);
    part[i] = 0;
    if (strcmp(part, "/") == 0) continue;
    if (H5Lexists(file, part, H5P_DEFAULT) <= 0) return ORR_OK;
    if (w) w->fault->refused[0] = 0;
    if (H5Oexists_by_name(file, part, H5P_DEFAULT) > 0) continue;
    if (!describe_link(file, part, words, sizeof words)) return ORR_OK;
    describe_refusal(file, why, sizeof why);
    H5Eclear2(H5E_DEFAULT);
    return ORR_FAIL(ORR_ENOTFOUND, "%s: %s is %s, %s", path, part, words, why);
  }
  return ORR_OK;
}

orr_code data_h5_check_own(hid_t file, const char *path, const char *name, const char *words) {
  char link[2200];
  orr_code rc = ORR_OK;
  ORR_CHECK(!describe_link(file, name, link, sizeof link), ORR_EFORMAT, "%s: /%s is %s; %s", path,
            name, link, words);
  hid_t set = H5Dopen2(file, name, H5P_DEFAULT);
  hid_t create = set < 0 ? H5I_INVALID_HID : H5Dget_create_plist(set);
  if (create < 0) goto done; // whoever opens it next says why it cannot be
  ORR_CHECK_GOTO(H5Pget_layout(create) != H5D_VIRTUAL, done, ORR_EFORMAT,
                 "%s: /%s is a virtual dataset, its rows lie elsewhere; %s", path, name, words);
  ORR_CHECK_GOTO(H5Pget_external_count(create) <= 0, done, ORR_EFORMAT,
                 "%s: /%s keeps its raw data in other files; %s", path, name, words);
done:
  if (create >= 0) H5Pclose(create);
  if (set >= 0) H5Dclose(set);
  return rc;
}

// -- other files ----------------------------------------------------------------------------

// The folder of the file that holds an object. Objects that external links name lie in another one.
static void folder_of(hid_t object, char folder[ORR_PATH_MAX]) {
  ssize_t n = H5Fget_name(object, folder, ORR_PATH_MAX);
  char *slash = n > 0 && n < ORR_PATH_MAX ? strrchr(folder, '/') : NULL;
  if (!slash)
    snprintf(folder, ORR_PATH_MAX, ".");
  else
    slash[slash == folder] = 0;
}

// Where a file lies that is named in one of `folder`.
static orr_code place(const char *folder, const char *name, char path[ORR_PATH_MAX]) {
  return orr_fs_join(path, ORR_PATH_MAX, name[0] == '/' ? "" : folder, name);
}

static orr_code check_raw_file(hid_t file, const data_h5_dataset *d, const char *folder,
                               const char *name, uint64_t end) {
  char path[ORR_PATH_MAX], real[ORR_PATH_MAX], why[2400];
  uint64_t bytes = 0;
  data_h5_window *w = data_h5_file_window(file);
  ORR_TRY(place(folder, name, path));
  w->fault->refused[0] = 0;
  if (!data_h5_other_allowed(w->others, path, real, w->fault)) {
    describe_refusal(file, why, sizeof why);
    return ORR_FAIL(ORR_ENOTFOUND, "%s: %s keeps its raw data in %s, %s", d->file, d->name, name,
                    why);
  }
  ORR_TRY(orr_fs_size(real, &bytes));
  ORR_CHECK(bytes >= end, ORR_EFORMAT,
            "%s: %s keeps its raw data in %s, which has %" PRIu64 " bytes, wanted %" PRIu64
            "; copy it again",
            d->file, d->name, name, bytes, end);
  return ORR_OK;
}

orr_code data_h5_check_external(hid_t file, const data_h5_dataset *d, hid_t create, char *prefix) {
  const int count = H5Pget_external_count(create);
  char name[1024];
  hsize_t left = H5Dget_storage_size(d->set);
  folder_of(d->set, prefix);
  for (int i = 0; i < count; i++) {
    off_t offset = 0;
    hsize_t size = 0;
    ORR_CHECK(H5Pget_external(create, (unsigned)i, sizeof name, name, &offset, &size) >= 0 &&
                  memchr(name, 0, sizeof name),
              ORR_EFORMAT, "%s: cannot tell where the raw data of %s lies", d->file, d->name);
    hsize_t used = size == H5F_UNLIMITED || size > left ? left : size;
    left -= used;
    if (used) ORR_TRY(check_raw_file(file, d, prefix, name, (uint64_t)offset + (uint64_t)used));
  }
  return ORR_OK;
}

// -- rows that were written -----------------------------------------------------------------

// Whether all chunks that hold rows of chunk row `k` are in the file.
static bool chunks_there(hid_t set, const hsize_t *dims, const hsize_t *chunk, int rank,
                         hsize_t k) {
  hsize_t at[DATA_H5_RANK_MAX] = {k * chunk[0]}, bytes = 0;
  for (;;) {
    if (H5Dget_chunk_storage_size(set, at, &bytes) < 0 || bytes == 0) return false;
    int i = rank - 1;
    while (i > 0 && (at[i] += chunk[i]) >= dims[i]) at[i--] = 0;
    if (i <= 0) return true;
  }
}

// One call tells how many chunks there are, which is all that whole datasets and those too long to
// be walked through need.
static int64_t chunk_rows_written(hid_t set, hid_t create, const hsize_t *dims, int rank,
                                  int64_t first, int64_t n) {
  hsize_t chunk[DATA_H5_RANK_MAX], there = 0, across = 1; // chunks side by side
  int64_t written = 0;
  if (H5Pget_chunk(create, DATA_H5_RANK_MAX, chunk) != rank || chunk[0] == 0) return 0;
  const int64_t rows = (int64_t)chunk[0], last = first + n - 1,
                count = last / rows - first / rows + 1;
  for (int i = 1; i < rank; i++) across *= dims[i] ? (dims[i] - 1) / chunk[i] + 1 : 1;
  if ((n == (int64_t)dims[0] || count > WALK_MAX) && H5Dget_num_chunks(set, H5S_ALL, &there) >= 0) {
    if (there / across >= (hsize_t)count) return n;
    if (count > WALK_MAX) return (int64_t)(there / across) * rows;
  }
  for (int64_t k = first / rows; k <= last / rows; k++) {
    int64_t from = k * rows > first ? k * rows : first;
    int64_t to = (k + 1) * rows <= last ? (k + 1) * rows : last + 1;
    if (chunks_there(set, dims, chunk, rank, (hsize_t)k)) written += to - from;
  }
  return written;
}

int64_t data_h5_rows_written(hid_t set, const hsize_t *dims, int rank, int64_t first, int64_t n) {
  int64_t written = n;
  hid_t create = H5Dget_create_plist(set);
  if (create < 0) return 0;
  H5D_layout_t layout = H5Pget_layout(create);
  if (layout == H5D_CHUNKED)
    written = chunk_rows_written(set, create, dims, rank, first, n);
  else if (layout == H5D_CONTIGUOUS && H5Pget_external_count(create) <= 0)
    written = H5Dget_offset(set) == HADDR_UNDEF ? 0 : n;
  H5Pclose(create);
  H5Eclear2(H5E_DEFAULT);
  return written;
}

// -- virtual datasets -----------------------------------------------------------------------

// Which elements of rows first .. first+n-1 the sources give.
typedef struct {
  const data_h5_dataset *d;
  int64_t first, n;
  int64_t *elements; // [n]
} cover;

static void cover_rows(cover *c, hsize_t from, hsize_t to, int64_t elements) {
  for (hsize_t row = from; row <= to; row++) {
    if ((int64_t)row >= c->first + c->n) return;
    if ((int64_t)row >= c->first) c->elements[(int64_t)row - c->first] += elements;
  }
}

static bool cover_blocks(cover *c, hid_t space) {
  const int rank = c->d->rank;
  hssize_t n = H5Sget_select_hyper_nblocks(space);
  if (n < 0 || n > BLOCKS_MAX) return false;
  hsize_t *blocks = orr_malloc((size_t)(n * 2 * rank + 1) * sizeof *blocks);
  bool good =
      blocks && (n == 0 || H5Sget_select_hyper_blocklist(space, 0, (hsize_t)n, blocks) >= 0);
  for (hssize_t i = 0; good && i < n; i++) {
    const hsize_t *low = blocks + i * 2 * rank, *high = low + rank;
    int64_t elements = 1;
    for (int k = 1; k < rank; k++) elements *= (int64_t)(high[k] - low[k] + 1);
    cover_rows(c, low[0], high[0], elements);
  }
  orr_free(blocks);
  return good;
}

// Adds what one source gives; false for a selection that cannot be followed.
static bool cover_source(cover *c, hid_t space) {
  if (H5Sget_select_npoints(space) < 0) return false; // without an end
  if (H5Sget_select_type(space) == H5S_SEL_ALL) {
    cover_rows(c, 0, c->d->dims[0] - 1, data_h5_dataset_row(c->d));
    return true;
  }
  return H5Sget_select_type(space) == H5S_SEL_HYPERSLABS && cover_blocks(c, space);
}

// One source: a file, a dataset in it, and which rows of that are used.
typedef struct {
  char file[1024], set[1024], path[ORR_PATH_MAX];
  hid_t place, space; // selections in the virtual dataset and in the source
} mapping;

static void mapping_close(mapping *m) {
  if (m->space >= 0) H5Sclose(m->space);
  if (m->place >= 0) H5Sclose(m->place);
}

static orr_code mapping_open(const data_h5_dataset *d, hid_t create, size_t i, mapping *m) {
  orr_path folder;
  m->place = H5Pget_virtual_vspace(create, i);
  m->space = H5Pget_virtual_srcspace(create, i);
  ssize_t a = H5Pget_virtual_filename(create, i, m->file, sizeof m->file);
  ssize_t b = H5Pget_virtual_dsetname(create, i, m->set, sizeof m->set);
  ORR_CHECK(m->place >= 0 && m->space >= 0 && a > 0 && b > 0 && a < (ssize_t)sizeof m->file &&
                b < (ssize_t)sizeof m->set,
            ORR_EFORMAT, "%s: cannot look at source %zu of %s, a virtual dataset", d->file, i,
            d->name);
  ORR_CHECK(!strchr(m->file, '%') && !strchr(m->set, '%') && H5Sget_select_npoints(m->place) >= 0,
            ORR_EUNSUPPORTED,
            "%s: %s is a virtual dataset of sources without an end (%s:%s); write its rows into "
            "the file",
            d->file, d->name, m->file, m->set);
  folder_of(d->set, folder);
  return place(folder, m->file, m->path);
}

// The source's own rows must be there.
static orr_code check_source_rows(hid_t file, const data_h5_dataset *d, const mapping *m) {
  data_h5_dataset s;
  hsize_t low[DATA_H5_RANK_MAX], high[DATA_H5_RANK_MAX];
  orr_code rc = ORR_OK;
  ORR_TRY(data_h5_dataset_open(file, m->path, m->set, &s));
  s.nested = d->nested + 1;
  ORR_CHECK_GOTO(s.nested <= NESTED_MAX, close, ORR_EFORMAT, "%s: %s leads back to itself", d->file,
                 d->name);
  if (H5Sget_select_type(m->space) == H5S_SEL_ALL) {
    rc = data_h5_check_written(file, &s, 0, (int64_t)s.dims[0]);
    goto close;
  }
  H5_CHECK_GOTO(H5Sget_simple_extent_ndims(m->space) == s.rank &&
                    H5Sget_select_bounds(m->space, low, high) >= 0,
                close, ORR_EFORMAT, "%s: has another shape than %s of %s wants", m->path, d->name,
                d->file);
  for (int i = 0; i < s.rank; i++)
    ORR_CHECK_GOTO(high[i] < s.dims[i], close, ORR_EFORMAT,
                   "%s: %s has %" PRIu64 " entries along dimension %d, but %s of %s wants %" PRIu64,
                   m->path, m->set, (uint64_t)s.dims[i], i, d->name, d->file,
                   (uint64_t)high[i] + 1);
  rc = data_h5_check_written(file, &s, (int64_t)low[0], (int64_t)(high[0] - low[0]) + 1);
close:
  data_h5_dataset_close(&s);
  return rc;
}

static orr_code check_source(hid_t file, const data_h5_dataset *d, const mapping *m) {
  data_h5_window *w = data_h5_file_window(file);
  data_h5_fault fault;
  char real[ORR_PATH_MAX], why[2400];
  if (strcmp(m->file, ".") == 0) return check_source_rows(file, d, m);
  w->fault->refused[0] = 0;
  if (!data_h5_other_allowed(w->others, m->path, real, w->fault)) {
    describe_refusal(file, why, sizeof why);
    return ORR_FAIL(ORR_ENOTFOUND, "%s: %s is a virtual dataset with rows of %s:%s, %s", d->file,
                    d->name, m->file, m->set, why);
  }
  hid_t other = data_h5_file_open(m->path, w->others, &fault);
  if (other < 0)
    return data_h5_blame(&fault, m->path, "open it as an HDF5 file", "copy or record it again");
  orr_code rc = check_source_rows(other, d, m);
  H5Fclose(other);
  return rc;
}

static orr_code cover_all(hid_t file, cover *c, hid_t create) {
  size_t count = 0;
  orr_code rc = ORR_OK;
  H5_CHECK_GOTO(H5Pget_virtual_count(create, &count) >= 0, done, ORR_EFORMAT,
                "%s: cannot tell the sources of %s", c->d->file, c->d->name);
  for (size_t i = 0; i < count && rc == ORR_OK; i++) {
    mapping m = {.place = H5I_INVALID_HID, .space = H5I_INVALID_HID};
    rc = mapping_open(c->d, create, i, &m);
    if (rc == ORR_OK) rc = check_source(file, c->d, &m);
    if (rc == ORR_OK && !cover_source(c, m.place))
      rc = ORR_FAIL(ORR_EUNSUPPORTED,
                    "%s: %s is a virtual dataset whose parts cannot be followed; write its rows "
                    "into the file",
                    c->d->file, c->d->name);
    mapping_close(&m);
  }
done:
  return rc;
}

static orr_code virtual_rows(hid_t file, const data_h5_dataset *d, hid_t create, int64_t first,
                             int64_t n, int64_t *written) {
  cover c = {d, first, n, orr_calloc((size_t)n, sizeof *c.elements)};
  ORR_CHECK(c.elements, ORR_ENOMEM, "%s: out of memory for the %" PRId64 " rows of %s", d->file, n,
            d->name);
  orr_code rc = cover_all(file, &c, create);
  *written = 0;
  for (int64_t i = 0; i < n; i++) *written += c.elements[i] >= data_h5_dataset_row(d);
  orr_free(c.elements);
  return rc;
}

orr_code data_h5_check_written(hid_t file, const data_h5_dataset *d, int64_t first, int64_t n) {
  int64_t written = 0;
  orr_code rc = ORR_OK;
  if (n <= 0) return ORR_OK;
  hid_t create = H5Dget_create_plist(d->set);
  H5_CHECK_GOTO(create >= 0, done, ORR_EFORMAT, "%s: cannot look at %s", d->file, d->name);
  if (H5Pget_layout(create) == H5D_VIRTUAL)
    ORR_TRY_GOTO(virtual_rows(file, d, create, first, n, &written), done);
  else
    written = data_h5_rows_written(d->set, d->dims, d->rank, first, n);
  ORR_CHECK_GOTO(written == n, done, ORR_EFORMAT,
                 "%s: of %s only %" PRId64 " of %" PRId64
                 " rows were written; record it again, or leave it out",
                 d->file, d->name, written, n);
done:
  if (create >= 0) H5Pclose(create);
  return rc;
}
