// A virtual file driver for HDF5 over base/fs.h: plain offsets in one file. Files that an open one
// refers to are opened through the same driver, which is where they are refused. HDF5 never learns
// of a failing write, because its close would then leave the file half open: the driver remembers
// the first fault for its owner and lets everything after it pass.
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "data/shard/h5.h"

#if H5_VERSION_GE(1, 13, 0)
#include <H5FDdevelop.h>
#endif

typedef struct {
  H5FD_t base;           // HDF5 fills it; first, so that the addresses agree
  data_h5_window window; // its bytes: the length at the open
  bool writes;
  char *path;
  haddr_t eoa; // end of what HDF5 has allocated
  haddr_t eof; // end of what the file holds
  data_h5_fault *fault;
} h5_file;

static void remember(data_h5_fault *fault, orr_code rc) {
  if (fault->rc != ORR_OK) return;
  fault->rc = rc;
  orr_status_copy(fault->message, sizeof fault->message);
}

bool data_h5_other_allowed(const data_h5_others *others, const char *path, char *real,
                           data_h5_fault *fault) {
  orr_path root;
  if (!realpath(path, real)) return false; // HDF5 looks in several places for it
  size_t n = others && realpath(others->root, root) ? strlen(root) : 0;
  if (n && strncmp(real, root, n) == 0 && (real[n] == '/' || root[n - 1] == '/')) {
    if (others->opened) others->opened(others->ctx, real);
    return true;
  }
  snprintf(fault->refused, sizeof fault->refused, "%s", path);
  return false;
}

static H5FD_t *file_open(const char *name, unsigned flags, hid_t fapl, haddr_t maxaddr) {
  const struct data_h5_access *options = H5Pget_driver_info(fapl);
  orr_path real;
  bool writes = (flags & H5F_ACC_RDWR) != 0;
  if (!options) return NULL; // an access list that is not this file's
  if (options->other &&
      (writes || !data_h5_other_allowed(options->others, name, real, options->fault)))
    return NULL;
  int how = writes ? O_RDWR : O_RDONLY;
  uint64_t bytes = 0;
  if (flags & H5F_ACC_CREAT) how |= O_CREAT;
  if (flags & H5F_ACC_TRUNC) how |= O_TRUNC;
  h5_file *f = orr_calloc(1, sizeof *f);
  char *path = orr_strdup(name);
  orr_code rc = ORR_OK;
  ORR_CHECK_GOTO(f && path, fail, ORR_ENOMEM, "%s: out of memory: cannot open it", name);
  *f = (h5_file){.window = {.others = options->others, .fault = options->fault},
                 .writes = writes,
                 .path = path,
                 .fault = options->fault};
  ORR_TRY_GOTO(orr_fs_open(name, how | O_CLOEXEC, 0666, &f->window.fd), fail);
  ORR_TRY_GOTO(orr_fs_size(name, &bytes), close_file);
  f->eof = f->window.bytes = bytes;
  return &f->base;
close_file:
  close(f->window.fd);
fail:
  orr_free(path);
  orr_free(f);
  remember(options->fault, rc);
  return NULL;
}

static herr_t file_close(H5FD_t *base) {
  h5_file *f = (h5_file *)base;
  if (f->writes && f->fault->rc == ORR_OK) {
    orr_code rc = orr_fs_fsync(f->window.fd, f->path);
    if (rc != ORR_OK) remember(f->fault, rc);
  }
  close(f->window.fd);
  orr_free(f->path);
  orr_free(f);
  return 0;
}

// How HDF5 opens the files that this one refers to. Were this allocated and that failed, HDF5 1.10
// would let go of the driver once too often.
static void *file_get_options(H5FD_t *base) {
  return &((h5_file *)base)->fault->other;
}

static void *options_copy(const void *options) {
  return (void *)(uintptr_t)options;
}

static herr_t options_free(void *options) {
  return 0;
}

static herr_t file_query(const H5FD_t *base, unsigned long *flags) {
  *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE |
           H5FD_FEAT_AGGREGATE_SMALLDATA | H5FD_FEAT_DEFAULT_VFD_COMPATIBLE;
  return 0;
}

static haddr_t file_get_eoa(const H5FD_t *base, H5FD_mem_t type) {
  return ((const h5_file *)base)->eoa;
}

static herr_t file_set_eoa(H5FD_t *base, H5FD_mem_t type, haddr_t address) {
  ((h5_file *)base)->eoa = address;
  return 0;
}

static haddr_t file_get_eof(const H5FD_t *base, H5FD_mem_t type) {
  return ((const h5_file *)base)->eof;
}

static herr_t file_read(H5FD_t *base, H5FD_mem_t type, hid_t dxpl, haddr_t address, size_t bytes,
                        void *p) {
  h5_file *f = (h5_file *)base;
  if (f->window.probing && type == H5FD_MEM_DRAW) {
    f->window.address = address;
    f->window.length = bytes;
    return 0;
  }
  orr_code rc = orr_fs_pread_all(f->window.fd, f->path, p, bytes, address);
  if (rc == ORR_OK) return 0;
  if (rc != ORR_EFORMAT) remember(f->fault, rc); // a file too short is HDF5's to judge
  return -1;
}

static herr_t file_write(H5FD_t *base, H5FD_mem_t type, hid_t dxpl, haddr_t address, size_t bytes,
                         const void *p) {
  h5_file *f = (h5_file *)base;
  if (address + bytes > f->eof) f->eof = address + bytes;
  if (f->fault->rc != ORR_OK) return 0;
  orr_code rc = orr_fs_pwrite_all(f->window.fd, f->path, p, bytes, address);
  if (rc != ORR_OK) remember(f->fault, rc);
  return 0;
}

// HDF5 may have allocated more than it wrote; readers compare the length with what it allocated.
static herr_t file_truncate(H5FD_t *base, hid_t dxpl, hbool_t closing) {
  static const unsigned char zero = 0;
  h5_file *f = (h5_file *)base;
  if (f->eoa > f->eof) return file_write(base, H5FD_MEM_DRAW, dxpl, f->eoa - 1, 1, &zero);
  return 0;
}

static herr_t file_get_handle(H5FD_t *base, hid_t fapl, void **handle) {
  *handle = &((h5_file *)base)->window;
  return 0;
}

static const H5FD_class_t driver_class = {
#if H5_VERSION_GE(1, 13, 0)
    .version = H5FD_CLASS_VERSION,
    .value = H5_VFD_RESERVED + 99, // from the range that the format leaves to private drivers
#endif
    .name = "orrery",
    .maxaddr = (haddr_t)INT64_MAX,
    .fc_degree = H5F_CLOSE_STRONG,
    .fapl_size = sizeof(struct data_h5_access),
    .fapl_get = file_get_options,
    .fapl_copy = options_copy,
    .fapl_free = options_free,
    .open = file_open,
    .close = file_close,
    .query = file_query,
    .get_eoa = file_get_eoa,
    .set_eoa = file_set_eoa,
    .get_eof = file_get_eof,
    .get_handle = file_get_handle,
    .read = file_read,
    .write = file_write,
    .truncate = file_truncate,
    .fl_map = H5FD_FLMAP_DICHOTOMY,
};

// Registered once, for the life of the process: closing a file, HDF5 1.10 lets go of the driver
// before it calls it, and with the last reference the driver's table is freed under that call.
static hid_t driver(void) {
  static hid_t id = 0; // lock held
  if (H5Iis_valid(id) <= 0) id = H5FDregister(&driver_class);
  return id;
}

// File access through the driver. Files are read with any version of the format's low-level
// structures, and written with a fixed one: the first in which all of them have checksums, so that
// HDF5 refuses a damaged one before it follows what is in it.
static hid_t access_list(data_h5_fault *fault, const data_h5_others *others, bool writes) {
  fault->own = (struct data_h5_access){fault, others, false};
  fault->other = (struct data_h5_access){fault, others, true};
  hid_t list = H5Pcreate(H5P_FILE_ACCESS);
  if (list < 0 || H5Pset_driver(list, driver(), &fault->own) < 0 ||
      (writes && H5Pset_libver_bounds(list, H5F_LIBVER_V110, H5F_LIBVER_V110) < 0)) {
    if (list >= 0) H5Pclose(list);
    list = H5I_INVALID_HID;
  }
  return list;
}

hid_t data_h5_file_create(const char *path, data_h5_fault *fault) {
  hid_t file = H5I_INVALID_HID;
  *fault = (data_h5_fault){.rc = ORR_OK};
  hid_t access = access_list(fault, NULL, true);
  hid_t create = H5Pcreate(H5P_FILE_CREATE);
  // Times of creation would make equal data unequal bytes.
  if (access >= 0 && create >= 0 && H5Pset_obj_track_times(create, false) >= 0) {
    file = H5Fcreate(path, H5F_ACC_TRUNC, create, access);
  }
  if (create >= 0) H5Pclose(create);
  if (access >= 0) H5Pclose(access);
  return file;
}

hid_t data_h5_file_open(const char *path, const data_h5_others *others, data_h5_fault *fault) {
  *fault = (data_h5_fault){.rc = ORR_OK};
  hid_t access = access_list(fault, others, false);
  hid_t file = access < 0 ? H5I_INVALID_HID : H5Fopen(path, H5F_ACC_RDONLY, access);
  if (access >= 0) H5Pclose(access);
  return file;
}

data_h5_window *data_h5_file_window(hid_t file) {
  void *window = NULL;
  return H5Fget_vfd_handle(file, H5P_DEFAULT, &window) < 0 ? NULL : window;
}
