#include "data/pictures/video_reader.h"

#include <inttypes.h>
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/display.h>
#include <libavutil/imgutils.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/fs.h"
#include "base/mem.h"
#include "data/pictures/orient.h"

#define PIXELS_MAX (1 << 26) // a damaged header must not ask for all memory

struct data_video_reader {
  char *path;
  AVFormatContext *demux;
  AVCodecContext *codec;
  AVPacket *packet;
  AVFrame *frame;
  struct SwsContext *sws;
  int stream;
  int64_t from;    // frames shown before are passed over, in the stream's own unit
  bool drained;    // the decoder was told that no packet follows
  int64_t decoded; // frames so far
  uint8_t *rgb;    // [height,width,3] of the last frame as it is coded
  uint8_t *shown;  // the same as it is shown, where that differs
  int height, width, format;
};

static orr_code fail_av(const data_video_reader *v, int ret, const char *what) {
  char why[AV_ERROR_MAX_STRING_SIZE] = "";
  av_strerror(ret, why, sizeof why);
  if (ret == AVERROR(ENOMEM)) return ORR_FAIL(ORR_ENOMEM, "%s: %s: %s", v->path, what, why);
  return ORR_FAIL(ORR_EFORMAT, "%s: %s: %s", v->path, what, why);
}

static orr_code open_demuxer(data_video_reader *v) {
  AVDictionary *options = NULL;
  av_dict_set(&options, "protocol_whitelist", "file", 0);
  av_dict_set(&options, "format_whitelist", "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi", 0);
  int ret = avformat_open_input(&v->demux, v->path, NULL, &options);
  av_dict_free(&options);
  if (ret < 0) return fail_av(v, ret, "no video that can be read (MP4, MOV, MKV, WebM or AVI)");
  ret = avformat_find_stream_info(v->demux, NULL);
  if (ret < 0) return fail_av(v, ret, "cannot find out what the video holds");
  const AVCodec *codec = NULL;
  v->stream = av_find_best_stream(v->demux, AVMEDIA_TYPE_VIDEO, -1, -1, &codec, 0);
  ORR_CHECK(v->stream != AVERROR_DECODER_NOT_FOUND, ORR_EUNSUPPORTED,
            "%s: this libavcodec cannot decode its video; convert it with "
            "`ffmpeg -i IN -c:v libx264 -crf 16 OUT.mp4` where one can",
            v->path);
  if (v->stream < 0) return fail_av(v, v->stream, "holds no video");
  for (unsigned i = 0; i < v->demux->nb_streams; i++)
    if ((int)i != v->stream) v->demux->streams[i]->discard = AVDISCARD_ALL;
  v->codec = avcodec_alloc_context3(codec);
  ORR_CHECK(v->codec, ORR_ENOMEM, "%s: out of memory for a decoder", v->path);
  return ORR_OK;
}

static orr_code open_decoder(data_video_reader *v) {
  const AVStream *s = v->demux->streams[v->stream];
  int ret = avcodec_parameters_to_context(v->codec, s->codecpar);
  v->codec->thread_count = 1; // importing runs in many processes
  v->codec->max_pixels = PIXELS_MAX;
  if (ret >= 0) ret = avcodec_open2(v->codec, v->codec->codec, NULL);
  if (ret < 0) return fail_av(v, ret, "cannot open a decoder for its video");
  v->packet = av_packet_alloc();
  v->frame = av_frame_alloc();
  ORR_CHECK(v->packet && v->frame, ORR_ENOMEM, "%s: out of memory for a frame", v->path);
  return ORR_OK;
}

orr_code data_video_open(const char *path, data_video_reader **out) {
  orr_code rc = ORR_OK;
  uint64_t bytes;
  ORR_TRY(orr_fs_size(path, &bytes));
  av_log_set_level(AV_LOG_QUIET); // what is wrong comes as one message
  data_video_reader *v = orr_calloc(1, sizeof *v);
  ORR_CHECK(v, ORR_ENOMEM, "%s: out of memory: cannot open it", path);
  v->path = orr_strdup(path);
  ORR_CHECK_GOTO(v->path, fail, ORR_ENOMEM, "%s: out of memory: cannot open it", path);
  ORR_TRY_GOTO(open_demuxer(v), fail);
  ORR_TRY_GOTO(open_decoder(v), fail);
  v->from = INT64_MIN;
  *out = v;
  return ORR_OK;
fail:
  data_video_close(v);
  return rc;
}

void data_video_close(data_video_reader *v) {
  if (!v) return;
  sws_freeContext(v->sws);
  av_frame_free(&v->frame);
  av_packet_free(&v->packet);
  avcodec_free_context(&v->codec);
  avformat_close_input(&v->demux);
  orr_free(v->shown);
  orr_free(v->rgb);
  orr_free(v->path);
  orr_free(v);
}

double data_video_fps(const data_video_reader *v) {
  const AVStream *s = v->demux->streams[v->stream];
  AVRational rate = s->avg_frame_rate.num > 0 ? s->avg_frame_rate : s->r_frame_rate;
  return rate.num > 0 && rate.den > 0 ? av_q2d(rate) : 0;
}

// The next packet of the video; false at the end.
static orr_code next_packet(data_video_reader *v, bool *got) {
  for (;;) {
    av_packet_unref(v->packet);
    int ret = av_read_frame(v->demux, v->packet);
    *got = ret >= 0;
    if (ret == AVERROR_EOF) return ORR_OK;
    if (ret < 0) return fail_av(v, ret, "cannot read on; the file is damaged or truncated");
    if (v->packet->stream_index == v->stream) return ORR_OK;
  }
}

// Time stamps of a file's packets, while they are gathered.
typedef struct {
  int64_t *v; // in the stream's own unit
  int64_t n, room;
  bool whole; // all packets have one
} stamps;

static orr_code add_stamp(data_video_reader *v, stamps *s) {
  if (s->n == s->room) {
    int64_t room = s->room ? 2 * s->room : 1024;
    int64_t *stamp = orr_realloc(s->v, (size_t)room * sizeof *stamp);
    ORR_CHECK(stamp, ORR_ENOMEM, "%s: out of memory for the times of %" PRId64 " frames", v->path,
              room);
    s->v = stamp;
    s->room = room;
  }
  int64_t at = v->packet->pts != AV_NOPTS_VALUE ? v->packet->pts : v->packet->dts;
  s->whole &= at != AV_NOPTS_VALUE;
  s->v[s->n++] = at;
  return ORR_OK;
}

static int compare_stamps(const void *a, const void *b) {
  int64_t p = *(const int64_t *)a, q = *(const int64_t *)b;
  return p < q ? -1 : p > q;
}

// Packets come in the order of decoding; frames are shown in the order of their stamps.
static orr_code make_times(const data_video_reader *v, stamps *s, double **times) {
  *times = NULL;
  if (!s->n || !s->whole) return ORR_OK;
  qsort(s->v, (size_t)s->n, sizeof *s->v, compare_stamps);
  *times = orr_malloc((size_t)s->n * sizeof **times);
  ORR_CHECK(*times, ORR_ENOMEM, "%s: out of memory for the times of %" PRId64 " frames", v->path,
            s->n);
  const double unit = av_q2d(v->demux->streams[v->stream]->time_base);
  for (int64_t i = 0; i < s->n; i++) (*times)[i] = (double)(s->v[i] - s->v[0]) * unit;
  return ORR_OK;
}

orr_code data_video_count(data_video_reader *v, int64_t *frames, double **times) {
  stamps s = {.whole = true};
  orr_code rc = ORR_OK;
  for (bool got = true; got;) {
    ORR_TRY_GOTO(next_packet(v, &got), done);
    // outside the edit list, or a place in an AVI file where the frame before is shown on
    if (!got || v->packet->flags & AV_PKT_FLAG_DISCARD || !v->packet->size) continue;
    ORR_TRY_GOTO(add_stamp(v, &s), done);
  }
  *frames = s.n;
  if (times) rc = make_times(v, &s, times);
done:
  orr_free(s.v);
  return rc;
}

// -- orientation ----------------------------------------------------------------------------

// The display matrix of the file, NULL without one. The stream's side data moved with
// libavformat 60.15.
static const int32_t *matrix_of_file(const data_video_reader *v) {
  const AVStream *s = v->demux->streams[v->stream];
#if LIBAVFORMAT_VERSION_INT >= AV_VERSION_INT(60, 15, 100)
  const AVPacketSideData *side = av_packet_side_data_get(
      s->codecpar->coded_side_data, s->codecpar->nb_coded_side_data, AV_PKT_DATA_DISPLAYMATRIX);
  return side && side->size >= 9 * sizeof(int32_t) ? (const int32_t *)(const void *)side->data
                                                   : NULL;
#else
  size_t bytes = 0;
  const uint8_t *side = av_stream_get_side_data(s, AV_PKT_DATA_DISPLAYMATRIX, &bytes);
  return side && bytes >= 9 * sizeof(int32_t) ? (const int32_t *)(const void *)side : NULL;
#endif
}

// How the frame at hand is shown: as it says itself, else as the file says.
static orr_code orientation_of(const data_video_reader *v, data_orientation *out) {
  const AVFrameSideData *own = av_frame_get_side_data(v->frame, AV_FRAME_DATA_DISPLAYMATRIX);
  const int32_t *matrix = own && own->size >= 9 * sizeof(int32_t)
                              ? (const int32_t *)(const void *)own->data
                              : matrix_of_file(v);
  *out = data_orient_none();
  if (!matrix) return ORR_OK;
  ORR_CHECK(data_orient_matrix(matrix, out), ORR_EUNSUPPORTED,
            "%s: the file says that its pictures are turned by %.0f degrees; only quarters are "
            "done here; turn it with `ffmpeg -i IN OUT.mp4`, which obeys the file",
            v->path, -av_display_rotation_get(matrix));
  return ORR_OK;
}

// Hands out the picture in v->rgb as it is shown.
static orr_code show(data_video_reader *v, data_picture *out) {
  data_orientation how;
  *out = (data_picture){.rgb = v->rgb, .height = v->height, .width = v->width};
  ORR_TRY(orientation_of(v, &how));
  if (data_orient_is_none(how)) return ORR_OK;
  if (!v->shown) v->shown = orr_malloc((size_t)v->height * (size_t)v->width * 3);
  ORR_CHECK(v->shown, ORR_ENOMEM, "%s: out of memory for a frame of %d x %d", v->path, v->height,
            v->width);
  data_orient_run(how, v->rgb, v->height, v->width, v->shown);
  out->rgb = v->shown;
  data_orient_size(how, v->height, v->width, &out->height, &out->width);
  return ORR_OK;
}

// -- frames ---------------------------------------------------------------------------------

orr_code data_video_seek(data_video_reader *v, double seconds) {
  const AVStream *s = v->demux->streams[v->stream];
  const double fps = data_video_fps(v), early = fps > 0 ? 0.5 / fps : 0;
  int64_t first = s->start_time != AV_NOPTS_VALUE ? s->start_time : 0;
  v->from = first + (int64_t)((seconds - early) / av_q2d(s->time_base));
  // to the key frame before it, from which frames can be decoded
  int ret = av_seek_frame(v->demux, v->stream, v->from, AVSEEK_FLAG_BACKWARD);
  if (ret < 0) return fail_av(v, ret, "cannot go to another place in the video");
  avcodec_flush_buffers(v->codec);
  return ORR_OK;
}

// Colour conversion for frames like this one, as the frame itself says.
static orr_code setup_conversion(data_video_reader *v) {
  const AVFrame *f = v->frame;
  const int *matrix =
      sws_getCoefficients(f->colorspace == AVCOL_SPC_UNSPECIFIED ? SWS_CS_DEFAULT : f->colorspace);
  int full = f->color_range == AVCOL_RANGE_JPEG;
  ORR_CHECK(f->width >= 1 && f->height >= 1 && (int64_t)f->width * f->height <= PIXELS_MAX,
            ORR_EFORMAT, "%s: frame %" PRId64 " of %d x %d pixels (height x width)", v->path,
            v->decoded, f->height, f->width);
  sws_freeContext(v->sws);
  v->sws = sws_getContext(f->width, f->height, f->format, f->width, f->height, AV_PIX_FMT_RGB24,
                          SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT | SWS_FULL_CHR_H_INP,
                          NULL, NULL, NULL);
  ORR_CHECK(v->sws, ORR_EUNSUPPORTED, "%s: no conversion from its pixel format (%s) to RGB",
            v->path, av_get_pix_fmt_name(f->format) ? av_get_pix_fmt_name(f->format) : "unknown");
  sws_setColorspaceDetails(v->sws, matrix, full, sws_getCoefficients(SWS_CS_DEFAULT), 1, 0, 1 << 16,
                           1 << 16);
  // swscale writes whole vectors: room after the last row
  uint8_t *rgb = orr_realloc(v->rgb, (size_t)f->width * (size_t)f->height * 3 + 64);
  ORR_CHECK(rgb, ORR_ENOMEM, "%s: out of memory for a frame of %d x %d", v->path, f->height,
            f->width);
  v->rgb = rgb;
  orr_free(v->shown); // of another size
  v->shown = NULL;
  v->height = f->height;
  v->width = f->width;
  v->format = f->format;
  return ORR_OK;
}

static orr_code convert(data_video_reader *v, data_picture *out) {
  const AVFrame *f = v->frame;
  ORR_CHECK(!f->decode_error_flags && !(f->flags & AV_FRAME_FLAG_CORRUPT), ORR_EFORMAT,
            "%s: frame %" PRId64 " is damaged; copy or record the video again", v->path,
            v->decoded);
  if (!v->sws || f->height != v->height || f->width != v->width || f->format != v->format)
    ORR_TRY(setup_conversion(v));
  uint8_t *const to[4] = {v->rgb};
  const int row[4] = {v->width * 3};
  sws_scale(v->sws, (const uint8_t *const *)f->data, f->linesize, 0, f->height, to, row);
  v->decoded++;
  return show(v, out);
}

orr_code data_video_next(data_video_reader *v, data_picture *out) {
  char what[96];
  *out = (data_picture){0};
  snprintf(what, sizeof what, "cannot decode frame %" PRId64 "; the file is damaged or truncated",
           v->decoded);
  for (;;) {
    int ret = avcodec_receive_frame(v->codec, v->frame);
    if (ret >= 0 && v->frame->best_effort_timestamp < v->from &&
        v->frame->best_effort_timestamp != AV_NOPTS_VALUE)
      continue;
    if (ret >= 0) return convert(v, out);
    if (ret == AVERROR_EOF) return ORR_OK;
    if (ret != AVERROR(EAGAIN)) return fail_av(v, ret, what);
    ORR_CHECK(!v->drained, ORR_EFORMAT, "%s: %s", v->path, what);
    bool got;
    ORR_TRY(next_packet(v, &got));
    v->drained = !got;
    ret = avcodec_send_packet(v->codec, got ? v->packet : NULL);
    if (ret < 0) return fail_av(v, ret, what);
  }
}
