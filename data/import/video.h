// Videos and the tables of actions beside them. Private to data/.
//
//   video  actions in CSV or JSON lines (data/import/table.h)
//   vpt    JSON lines of keyboard and mouse (data/import/vpt.h)
//
// A video's table is the one of the same name in its folder, else the one of that name anywhere
// below the operands, else the only one in its folder. Videos with one table in common are the
// cameras of one episode; each is called as its folder, or as its file where the table is called
// otherwise.
#ifndef DATA_IMPORT_VIDEO_H
#define DATA_IMPORT_VIDEO_H

#include "data/import/episode.h"
#include "data/import/paths.h"

extern const data_import_format data_import_video, data_import_vpt;

// Local. Finds the table of every video among the paths and adds the episodes in the order of their
// first videos, without looking into any file. ORR_ENOTFOUND for a video without a table.
orr_code data_import_video_pair(const data_import_paths *paths, data_import_list *list);
// Local. Looks into the files of an episode: its format, its number of frames, its frame rate.
// ORR_EFORMAT for cameras of different length and for a table of several episodes.
orr_code data_import_video_look(const data_import_options *o, data_import_episode *e);

#endif
