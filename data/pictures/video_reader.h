// Frames out of video files by libav*: MP4, MOV, Matroska, WebM, AVI. Local files only: what a file
// says about other files or addresses is not followed.
#ifndef DATA_VIDEO_READER_H
#define DATA_VIDEO_READER_H

#include <stdint.h>

#include "base/status.h"
#include "data/pictures/picture.h"

// One thread at a time.
typedef struct data_video_reader data_video_reader;

// Local. Opens the first video stream. ORR_EFORMAT for a file that is no video, ORR_EUNSUPPORTED
// for a codec that this libavcodec lacks, ORR_ENOTFOUND.
orr_code data_video_open(const char *path, data_video_reader **out);
// Local. Takes NULL.
void data_video_close(data_video_reader *v);
// Local. Frames a second as the file says; 0 when it does not.
double data_video_fps(const data_video_reader *v);
// Local. Reads the file to its end without decoding and counts its frames. *times, unless it is
// NULL: when each is shown, in rising order and in seconds after the first, from orr_malloc; NULL
// where the file does not say. The reader is to be closed then. ORR_EFORMAT.
orr_code data_video_count(data_video_reader *v, int64_t *frames, double **times);
// Local. The next frame read will be the first that is shown at `seconds` after the first one or
// later, within half a usual interval. ORR_EFORMAT.
orr_code data_video_seek(data_video_reader *v, double seconds);
// Local. The next frame in order of presentation, converted to RGB by the file's own matrix and
// range, turned as the file says that it is shown; valid until the next call. out->rgb is NULL at
// the end. ORR_EFORMAT for frames that cannot be decoded whole: the number of the frame is named.
orr_code data_video_next(data_video_reader *v, data_picture *out);

#endif
