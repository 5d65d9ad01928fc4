#include "data/sound/track.h"

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <math.h>
#include <stdbool.h>
#include <unistd.h>

#include "base/mem.h"

enum { HOURS_MOST = 4 };

typedef struct {
  const char *path;
  AVFormatContext *demux;
  AVCodecContext *codec;
  AVPacket *packet;
  AVFrame *frame;
  int stream;
  int64_t room;
  data_track *out;
} reader;

static orr_code fail_av(const reader *r, int ret, const char *what) {
  char why[AV_ERROR_MAX_STRING_SIZE] = "";
  av_strerror(ret, why, sizeof why);
  if (ret == AVERROR(ENOMEM)) return ORR_FAIL(ORR_ENOMEM, "%s: %s: %s", r->path, what, why);
  return ORR_FAIL(ORR_EFORMAT, "%s: %s: %s", r->path, what, why);
}

static orr_code open_sound(reader *r) {
  AVDictionary *options = NULL;
  const AVCodec *codec = NULL;
  av_dict_set(&options, "protocol_whitelist", "file", 0);
  av_dict_set(&options, "format_whitelist", "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,wav", 0);
  int ret = avformat_open_input(&r->demux, r->path, NULL, &options);
  av_dict_free(&options);
  if (ret < 0)
    return fail_av(r, ret, "no sound that can be read (MP4, MOV, MKV, WebM, AVI or WAV)");
  ret = avformat_find_stream_info(r->demux, NULL);
  if (ret < 0) return fail_av(r, ret, "cannot find out what it holds");
  r->stream = av_find_best_stream(r->demux, AVMEDIA_TYPE_AUDIO, -1, -1, &codec, 0);
  ORR_CHECK(r->stream >= 0, ORR_ENOTFOUND, "%s: holds no sound", r->path);
  r->codec = avcodec_alloc_context3(codec);
  r->packet = av_packet_alloc();
  r->frame = av_frame_alloc();
  ORR_CHECK(r->codec && r->packet && r->frame, ORR_ENOMEM, "%s: out of memory", r->path);
  ret = avcodec_parameters_to_context(r->codec, r->demux->streams[r->stream]->codecpar);
  if (ret >= 0) ret = avcodec_open2(r->codec, codec, NULL);
  return ret < 0 ? fail_av(r, ret, "cannot decode its sound") : ORR_OK;
}

// Sample i of a channel, in [-1,1].
static double sample(const AVFrame *f, enum AVSampleFormat format, int channels, int channel,
                     int i) {
  const int planar = av_sample_fmt_is_planar(format);
  const uint8_t *from = planar ? f->extended_data[channel] : f->extended_data[0];
  const int at = planar ? i : i * channels + channel;
  switch (av_get_packed_sample_fmt(format)) {
  case AV_SAMPLE_FMT_U8:
    return (from[at] - 128) / 128.0;
  case AV_SAMPLE_FMT_S16:
    return ((const int16_t *)from)[at] / 32768.0;
  case AV_SAMPLE_FMT_S32:
    return ((const int32_t *)from)[at] / 2147483648.0;
  case AV_SAMPLE_FMT_FLT:
    return ((const float *)from)[at];
  case AV_SAMPLE_FMT_DBL:
    return ((const double *)from)[at];
  default:
    return NAN;
  }
}

static orr_code grow(reader *r, int64_t n) {
  if (n <= r->room) return ORR_OK;
  ORR_CHECK(n <= (int64_t)(r->out->rate * 3600 * HOURS_MOST), ORR_EFORMAT,
            "%s: more than %d hours of sound; cut it", r->path, (int)HOURS_MOST);
  const int64_t room = 2 * n;
  float *more = orr_realloc(r->out->samples, (size_t)room * sizeof *more);
  ORR_CHECK(more, ORR_ENOMEM, "%s: out of memory for its sound", r->path);
  r->out->samples = more;
  r->room = room;
  return ORR_OK;
}

// Silence before a track that begins after the film, or what lies before it is passed over.
static orr_code begin_at(reader *r, int64_t *skip) {
  const AVStream *s = r->demux->streams[r->stream];
  const int64_t pts = r->frame->best_effort_timestamp;
  double late = pts == AV_NOPTS_VALUE ? 0 : (double)pts * av_q2d(s->time_base);
  if (r->demux->start_time != AV_NOPTS_VALUE) late -= (double)r->demux->start_time / AV_TIME_BASE;
  const int64_t n = (int64_t)llround(late * r->out->rate);
  if (n <= 0) {
    *skip = -n;
    return ORR_OK;
  }
  ORR_TRY(grow(r, n));
  for (int64_t i = 0; i < n; i++) r->out->samples[i] = 0;
  r->out->n = n;
  return ORR_OK;
}

static orr_code take_frame(reader *r, int64_t *skip) {
  const AVFrame *f = r->frame;
  const enum AVSampleFormat format = (enum AVSampleFormat)f->format;
  const int channels = f->ch_layout.nb_channels;
  ORR_CHECK(channels > 0 && isfinite(sample(f, format, channels, 0, 0)), ORR_EUNSUPPORTED,
            "%s: its sound is in a form that is not known; convert it to WAV", r->path);
  ORR_TRY(grow(r, r->out->n + f->nb_samples));
  for (int i = 0; i < f->nb_samples; i++) {
    double sum = 0;
    if (*skip > 0) {
      --*skip;
      continue;
    }
    for (int c = 0; c < channels; c++) sum += sample(f, format, channels, c, i);
    r->out->samples[r->out->n++] = (float)fmax(-1, fmin(1, sum / channels));
  }
  return ORR_OK;
}

static orr_code decode(reader *r) {
  bool begun = false, drained = false;
  int64_t skip = 0;
  for (;;) {
    int ret = avcodec_receive_frame(r->codec, r->frame);
    if (ret == AVERROR_EOF) return ORR_OK;
    if (ret >= 0) {
      if (!begun) {
        ORR_CHECK(r->frame->sample_rate > 0, ORR_EFORMAT, "%s: sound without a rate", r->path);
        r->out->rate = r->frame->sample_rate;
        ORR_TRY(begin_at(r, &skip));
        begun = true;
      }
      if (r->frame->nb_samples > 0) ORR_TRY(take_frame(r, &skip));
      continue;
    }
    if (ret != AVERROR(EAGAIN)) return fail_av(r, ret, "cannot decode its sound");
    do {
      av_packet_unref(r->packet);
      ret = av_read_frame(r->demux, r->packet);
    } while (ret >= 0 && r->packet->stream_index != r->stream);
    if (ret < 0 && ret != AVERROR_EOF) return fail_av(r, ret, "cannot read its sound");
    if (ret < 0 && drained) return ORR_OK;
    drained = ret < 0;
    ret = avcodec_send_packet(r->codec, drained ? NULL : r->packet);
    if (ret < 0 && ret != AVERROR_EOF) return fail_av(r, ret, "cannot decode its sound");
  }
}

orr_code data_track_read(const char *path, data_track *out) {
  reader r = {.path = path, .out = out};
  *out = (data_track){0};
  ORR_CHECK(access(path, R_OK) == 0, ORR_ENOTFOUND, "%s: no such sound", path);
  orr_code rc = open_sound(&r);
  if (rc == ORR_OK) rc = decode(&r);
  if (rc == ORR_OK && out->n == 0) rc = ORR_FAIL(ORR_ENOTFOUND, "%s: holds no sound", path);
  av_frame_free(&r.frame);
  av_packet_free(&r.packet);
  avcodec_free_context(&r.codec);
  avformat_close_input(&r.demux);
  return rc;
}

void data_track_release(data_track *t) {
  orr_free(t->samples);
  *t = (data_track){0};
}
