// Videos and the tables of actions beside them. Private to data/.
//
//   video  actions in CSV, JSON lines or Parquet (data/import/table/table.h)
//   vpt    JSON lines of keyboard and mouse (data/import/vpt.h)
//
// A video's table is the one of the same name in its folder, else the one of that name anywhere
// below the operands, else the only one in its folder. Videos with one table in common are the
// cameras of one episode; each is called as its folder, or as its file where the table is called
// otherwise. With o->no_actions every video is a recording without a table.
#ifndef DATA_IMPORT_VIDEO_H
#define DATA_IMPORT_VIDEO_H

#include "data/import/episode.h"
#include "data/import/table/table.h"

// The source of both.
extern const data_import_source data_import_video_source;

// Local. A table's numbers as actions; what it no longer needs goes to them. `path`: for messages.
orr_code data_import_table_actions(const char *path, data_table *t, data_import_actions *out);
// Local. A data_import_format's `actions` for episodes whose file is a table.
orr_code data_import_table_read(const data_import_options *o, const data_import_episode *e,
                                data_import_actions *out);
// Local. Finds the table of every video among the paths and adds the episodes in the order of their
// first videos, without looking into any file. A video without a table goes to the faults.
orr_code data_import_video_pair(data_import_search *s);

#endif
