#include "data/import/sources.h"

#include <stdio.h>
#include <string.h>

#include "data/import/hdf5.h"
#include "data/import/paths.h"
#include "data/import/video.h"

#define PATIENCE_S 120 // a step of an import takes seconds where it takes long

static bool wants(const data_import_options *o, const char *name) {
  return o->format && strcmp(o->format, name) == 0;
}

static orr_code count_kinds(const data_import_options *o, const data_import_paths *paths,
                            bool *videos) {
  const data_import_path *hdf5 = NULL, *video = NULL, *parquet = NULL;
  for (int64_t i = paths->n - 1; i >= 0; i--) {
    if (paths->v[i].kind == DATA_PATH_HDF5) hdf5 = &paths->v[i];
    if (paths->v[i].kind == DATA_PATH_VIDEO) video = &paths->v[i];
    if (paths->v[i].kind == DATA_PATH_PARQUET) parquet = &paths->v[i];
  }
  ORR_CHECK(hdf5 || video, ORR_ENOTFOUND,
            "%s: no HDF5 file (.h5, .hdf5) and no video (.mp4, .mov, .mkv, .webm, .avi) there%s",
            o->inputs.v[0],
            parquet ? "; .parquet is not read: convert it to .jsonl beside videos, or to HDF5"
                    : "");
  *videos = o->format ? wants(o, data_import_video.name) || wants(o, data_import_vpt.name) : !hdf5;
  ORR_CHECK(o->format || !hdf5 || !video, ORR_EINVAL,
            "both HDF5 files (%s) and videos (%s) there; say which with --format, or import one "
            "folder",
            hdf5 ? hdf5->path : "", video ? video->path : "");
  ORR_CHECK(*videos ? video != NULL : hdf5 != NULL, ORR_ENOTFOUND,
            "%s: no %s there, for --format %s", o->inputs.v[0], *videos ? "video" : "HDF5 file",
            o->format);
  return ORR_OK;
}

int data_import_patience(const data_import_options *o) {
  return o->patience_s > 0 ? o->patience_s : PATIENCE_S;
}

void data_import_note_reading(const data_import_options *o, data_board *board, const char *path) {
  char doing[DATA_NOTE_MAX];
  snprintf(doing, sizeof doing, "reading %s", path);
  data_board_note(board, doing);
  data_board_allow(board, data_import_patience(o));
}

static orr_code list_videos(const data_import_options *o, data_board *board,
                            const data_import_paths *paths, data_import_list *out) {
  ORR_TRY(data_import_video_pair(paths, out));
  for (int64_t i = 0; i < out->n; i++) {
    data_import_note_reading(o, board, out->v[i].cameras[0].place);
    ORR_TRY(data_import_video_look(o, &out->v[i]));
  }
  return ORR_OK;
}

static orr_code list_hdf5(const data_import_options *o, data_board *board,
                          const data_import_paths *paths, data_import_list *out) {
  for (int64_t i = 0; i < paths->n; i++) {
    const data_import_path *path = &paths->v[i];
    if (path->kind != DATA_PATH_HDF5) continue;
    data_import_note_reading(o, board, path->path);
    ORR_TRY(data_import_hdf5_list(o, path->path, path->name, out));
  }
  return ORR_OK;
}

orr_code data_import_sources_list(const data_import_options *o, data_board *board,
                                  data_import_list *out) {
  data_import_paths paths;
  bool videos = false;
  ORR_TRY(data_import_paths_find(o->inputs, &paths));
  orr_code rc = count_kinds(o, &paths, &videos);
  if (rc == ORR_OK)
    rc = videos ? list_videos(o, board, &paths, out) : list_hdf5(o, board, &paths, out);
  data_import_paths_release(&paths);
  ORR_TRY(rc);
  const data_import_format *first = out->v[0].format;
  for (int64_t i = 1; i < out->n; i++)
    ORR_CHECK(out->v[i].format == first, ORR_EINVAL,
              "%s is of format %s, but %s is of %s; import one at a time, or say --format",
              out->v[i].file, out->v[i].format->name, out->v[0].file, first->name);
  return ORR_OK;
}
