// The Counter-Strike recordings of Pearce and Zhu (2021) as DIAMOND trains on them: one dataset a
// frame, blue first; /frame_I_y is the action between frames I and I+1 as 51 zeros and ones.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "data/shard/h5.h"
#include "data/shard/h5_dataset.h"
#include "data/shard/h5_storage.h"
#include "data/import/formats.h"
#include "data/import/hdf5.h"

#define PICTURE "/frame_%lld_x"
#define ACTION  "/frame_%lld_y"
#define KEYS    13 // pressed or not; after them one choice of 23 and one of 15
#define WIDTH   51

// X(name): what the components mean, in the order of the recordings
#define KEY_ROWS(X)                                                                                \
  X(key_w)                                                                                         \
  X(key_a)                                                                                         \
  X(key_s)                                                                                         \
  X(key_d)                                                                                         \
  X(key_space)                                                                                     \
  X(key_ctrl)                                                                                      \
  X(key_shift)                                                                                     \
  X(key_1)                                                                                         \
  X(key_2)                                                                                         \
  X(key_3)                                                                                         \
  X(key_r)                                                                                         \
  X(click_left)                                                                                    \
  X(click_right)

static const int mouse_x[] = {-1000, -500, -300, -200, -100, -60, -30, -20, -10, -4,  -2,  0,
                              2,     4,    10,   20,   30,   60,  100, 200, 300, 500, 1000};
static const int mouse_y[] = {-200, -100, -50, -20, -10, -4, -2, 0, 2, 4, 10, 20, 50, 100, 200};

static data_merge merge(int64_t i, int64_t A) {
  return i < KEYS && A == WIDTH ? DATA_MERGE_MAX : DATA_MERGE_LAST;
}

static bool is_csgo(const data_import_options *o, hid_t file) {
  return data_h5_has(file, "/frame_0_x");
}

// Datasets /frame_I_x must be there for I = 0, 1, ... without a gap.
static orr_code count_frames(hid_t file, const char *path, int64_t *frames) {
  char **names = NULL, name[64];
  int64_t n = 0;
  *frames = 0;
  ORR_TRY(data_h5_list(file, path, "/", &names, &n));
  for (int64_t i = 0; i < n; i++) {
    size_t length = strlen(names[i]);
    if (length > 8 && strncmp(names[i], "frame_", 6) == 0 &&
        strcmp(names[i] + length - 2, "_x") == 0)
      ++*frames;
  }
  orr_free(names);
  for (int64_t i = 0; i < *frames; i++) {
    snprintf(name, sizeof name, PICTURE, (long long)i);
    ORR_CHECK(data_h5_has(file, name), ORR_EFORMAT,
              "%s: no %s, although there are %" PRId64 " frames; copy the file again", path, name,
              *frames);
  }
  return ORR_OK;
}

static orr_code list(const data_import_h5 *h) {
  data_import_episode *e;
  ORR_TRY(data_import_layout_add(h, h->name, "", &e));
  ORR_TRY(count_frames(h->file, h->path, &e->frames));
  return data_import_add_camera(e, "frame", PICTURE);
}

// One block: pointers, then their text.
static char **action_names(void) {
  static const char *const keys[KEYS] = {
#define KEY_NAME(name) #name,
      KEY_ROWS(KEY_NAME)
#undef KEY_NAME
  };
  enum { TEXT = 16 };
  char **names = orr_malloc(WIDTH * (sizeof *names + TEXT));
  if (!names) return NULL;
  for (int i = 0; i < WIDTH; i++) {
    names[i] = (char *)(names + WIDTH) + i * TEXT;
    if (i < KEYS)
      snprintf(names[i], TEXT, "%s", keys[i]);
    else if (i < KEYS + 23)
      snprintf(names[i], TEXT, "mouse_x%+d", mouse_x[i - KEYS]);
    else
      snprintf(names[i], TEXT, "mouse_y%+d", mouse_y[i - KEYS - 23]);
  }
  return names;
}

static orr_code read_row(hid_t file, const data_import_episode *e, int64_t t,
                         data_import_actions *out) {
  char name[64];
  data_h5_dataset d;
  orr_code rc = ORR_OK;
  snprintf(name, sizeof name, ACTION, (long long)t);
  ORR_TRY(data_h5_dataset_open(file, e->file, name, &d));
  int64_t width = (int64_t)d.dims[0];
  if (!out->v) {
    out->A = width;
    out->v = width >= 1 && width <= 1 << 20
                 ? orr_malloc((size_t)(out->rows * width) * sizeof(float))
                 : NULL;
    ORR_CHECK_GOTO(out->v, close, ORR_ENOMEM,
                   "%s: out of memory for %" PRId64 " actions of %" PRId64, e->file, out->rows,
                   width);
  }
  ORR_CHECK_GOTO(
      (d.kind == DATA_H5_NUMBERS || d.kind == DATA_H5_BYTES) && d.rank == 1 && width == out->A,
      close, ORR_EFORMAT, "%s: %s has %" PRId64 " components, but /frame_0_y has %" PRId64, e->file,
      name, width, out->A);
  ORR_TRY_GOTO(data_h5_check_written(file, &d, 0, width), close);
  rc = data_h5_dataset_read(&d, 0, width, H5T_NATIVE_FLOAT, out->v + t * width);
close:
  data_h5_dataset_close(&d);
  return rc;
}

static orr_code actions(const data_import_options *o, const data_import_episode *e,
                        data_import_actions *out) {
  data_h5_fault fault;
  const data_h5_others others = data_import_hdf5_others(e);
  hid_t file = H5I_INVALID_HID;
  *out = (data_import_actions){.rows = e->frames, .success = -1};
  data_h5_enter();
  orr_code rc = data_import_hdf5_open(e->file, &others, &fault, &file);
  if (rc != ORR_OK) goto leave;
  for (int64_t t = 0; t < e->frames; t++) ORR_TRY_GOTO(read_row(file, e, t, out), close_file);
  if (out->A != WIDTH) goto close_file;
  out->names = action_names();
  ORR_CHECK_GOTO(out->names, close_file, ORR_ENOMEM, "%s: out of memory: cannot name its actions",
                 e->file);
close_file:
  H5Fclose(file);
leave:
  data_h5_leave();
  if (rc != ORR_OK) data_import_actions_release(out);
  return rc;
}

static const data_import_layout layout = {
    .wants = "/frame_0_x, /frame_0_y, ...",
    .is = is_csgo,
    .list = list,
};

const data_import_format data_import_csgo = {
    .name = "csgo",
    .source = &data_import_hdf5_source,
    .layout = &layout,
    .fps = 16,
    .channels = DATA_CHANNELS_BGR,
    .merge = merge,
    .actions = actions,
    .open = data_import_numbered_open,
};
