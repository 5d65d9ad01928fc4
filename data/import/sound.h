// Sound as actions: what is heard around a frame led to it. Private to data/.
#ifndef DATA_IMPORT_SOUND_H
#define DATA_IMPORT_SOUND_H

#include "data/import/episode.h"

// Local. A log-mel spectrum a frame (data/sound/mel.h), of the film's own sound track, or of the
// WAV file that is called as the film, or as the folder of pictures: row t is heard around frame
// t+1. ORR_ENOTFOUND where there is none, ORR_EFORMAT where it does not last as long as the
// picture.
orr_code data_import_sound_read(const data_import_options *o, const data_import_episode *e,
                                data_import_actions *out);

#endif
