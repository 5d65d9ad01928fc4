// Recordings that are there several times: the same one under its own name in another folder, or a
// copy of its files under another name, in one import or in the data set already. Each is imported
// once, so that none of them is learned twice, and none is both learned from and held out. Private
// to data/.
#ifndef DATA_IMPORT_COPIES_H
#define DATA_IMPORT_COPIES_H

#include "data/import/plan.h"

// Local. Sets `copied` of all items but the first of each recording, and notes it. Where the files
// cannot be compared (folders of pictures) it is only noted. ORR_ENOMEM, ORR_EIO.
orr_code data_import_copies_mark(data_import_plan *p);
// Local. What tells the files of a recording from others that begin alike, whatever they are
// called: their sizes, what stands at their beginnings, middles and ends, and which part of them it
// is. 0: not known (a folder of pictures, or no file to read).
uint64_t data_import_copies_files(const data_import_episode *e);

#endif
