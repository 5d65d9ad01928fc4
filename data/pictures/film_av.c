// Films by libavcodec, libavformat and libswscale, muxed into memory. The muxer seeks back in its
// output (MP4 sizes, the GIF trailer), hence the seekable sink.
#include "data/pictures/film_av.h"

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/imgutils.h>
#include <libavutil/opt.h>
#include <libswscale/swscale.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/mem.h"
#include "data/pictures/film_palette.h"

#define AV_CHECK_GOTO(expr, label, what)                                                           \
  do {                                                                                             \
    int av_ret_ = (expr);                                                                          \
    if (av_ret_ < 0) {                                                                             \
      rc = av_failed(av_ret_, (what));                                                             \
      goto label;                                                                                  \
    }                                                                                              \
  } while (0)

enum { IO_BUFFER_BYTES = 32768, GIF_TICKS = 100, GIF_FPS_MAX = 50, GIF_COLOURS = 255 };

typedef struct {
  uint8_t *p;
  size_t used, room, at;
} sink;

typedef struct {
  data_film_format format;
  AVFormatContext *mux;
  AVCodecContext *codec;
  AVStream *stream;
  AVPacket *packet;
  AVFrame *rgb, *picture; // rgb: a padded copy that swscale may over-read
  struct SwsContext *sws;
  data_palette palette;
  sink out;
  bool trailer_due; // the header is written
} encoder;

static orr_code av_failed(int ret, const char *what) {
  char why[AV_ERROR_MAX_STRING_SIZE] = "";
  av_strerror(ret, why, sizeof why);
  return ORR_FAIL(ret == AVERROR(ENOMEM) ? ORR_ENOMEM : ORR_EIO, "film: %s: %s", what, why);
}

static int sink_write(void *ctx, uint8_t *buf, int bytes) {
  sink *s = ctx;
  size_t end = s->at + (size_t)bytes;
  if (end > s->room) {
    size_t room = end + end / 2;
    uint8_t *p = orr_realloc(s->p, room);
    if (!p) return AVERROR(ENOMEM);
    memset(p + s->room, 0, room - s->room); // a seek past the end leaves a hole of zeros
    s->p = p;
    s->room = room;
  }
  memcpy(s->p + s->at, buf, (size_t)bytes);
  s->at = end;
  if (end > s->used) s->used = end;
  return bytes;
}

static int64_t sink_seek(void *ctx, int64_t offset, int whence) {
  sink *s = ctx;
  int64_t at;
  switch (whence & ~AVSEEK_FORCE) {
  case AVSEEK_SIZE:
    return (int64_t)s->used;
  case SEEK_SET:
    at = offset;
    break;
  case SEEK_CUR:
    at = (int64_t)s->at + offset;
    break;
  case SEEK_END:
    at = (int64_t)s->used + offset;
    break;
  default:
    return AVERROR(EINVAL);
  }
  if (at < 0) return AVERROR(EINVAL);
  s->at = (size_t)at;
  return at;
}

static const AVCodec *find_codec(data_film_format format) {
  if (format == DATA_FILM_GIF) return avcodec_find_encoder(AV_CODEC_ID_GIF);
  const AVCodec *h264 = avcodec_find_encoder_by_name("libx264");
  return h264 ? h264 : avcodec_find_encoder(AV_CODEC_ID_MPEG4);
}

static void set_codec(encoder *e, const AVCodec *codec, const data_film *film) {
  AVCodecContext *c = e->codec;
  c->width = (int)film->width;
  c->height = (int)film->height;
  c->thread_count = 1; // equal input, equal bytes
  c->flags |= AV_CODEC_FLAG_BITEXACT;
  c->gop_size = 24;
  if (e->mux->oformat->flags & AVFMT_GLOBALHEADER) c->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  if (e->format == DATA_FILM_GIF) {
    c->pix_fmt = AV_PIX_FMT_PAL8;
    c->time_base = (AVRational){1, GIF_TICKS};
    return;
  }
  AVRational rate = av_d2q(film->fps, 1000); // MPEG-4 wants a time base below 2^16
  c->pix_fmt = AV_PIX_FMT_YUV420P;
  c->time_base = av_inv_q(rate);
  c->framerate = rate;
  c->color_range = AVCOL_RANGE_MPEG;
  c->colorspace = AVCOL_SPC_SMPTE170M; // what swscale converts to by default
  if (codec->id == AV_CODEC_ID_H264) {
    av_opt_set(c->priv_data, "crf", "16", 0); // small films: quality over size
    av_opt_set(c->priv_data, "preset", "medium", 0);
  } else {
    c->flags |= AV_CODEC_FLAG_QSCALE;
    c->global_quality = 2 * FF_QP2LAMBDA;
  }
}

static orr_code open_mux(encoder *e) {
  orr_code rc = ORR_OK;
  const char *name = e->format == DATA_FILM_GIF ? "gif" : "mp4";
  AV_CHECK_GOTO(avformat_alloc_output_context2(&e->mux, NULL, name, NULL), done, name);
  e->mux->flags |= AVFMT_FLAG_BITEXACT; // no dates, no versions
  unsigned char *buffer = av_malloc(IO_BUFFER_BYTES);
  ORR_CHECK(buffer, ORR_ENOMEM, "out of memory for %d bytes of a film's buffer", IO_BUFFER_BYTES);
  e->mux->pb = avio_alloc_context(buffer, IO_BUFFER_BYTES, 1, &e->out, NULL, sink_write, sink_seek);
  if (!e->mux->pb) {
    av_free(buffer);
    return ORR_FAIL(ORR_ENOMEM, "out of memory for a film's output");
  }
done:
  return rc;
}

static orr_code open_codec(encoder *e, const data_film *film) {
  orr_code rc = ORR_OK;
  const AVCodec *codec = find_codec(e->format);
  ORR_CHECK(
      codec, ORR_EUNSUPPORTED,
      "this libavcodec has no %s encoder; write the film in another format (.mp4, .gif, .png)",
      e->format == DATA_FILM_GIF ? "GIF" : "H.264 or MPEG-4");
  e->codec = avcodec_alloc_context3(codec);
  e->stream = avformat_new_stream(e->mux, NULL);
  ORR_CHECK(e->codec && e->stream, ORR_ENOMEM, "out of memory for a film's encoder");
  set_codec(e, codec, film);
  AV_CHECK_GOTO(avcodec_open2(e->codec, codec, NULL), done, codec->name);
  AV_CHECK_GOTO(avcodec_parameters_from_context(e->stream->codecpar, e->codec), done, codec->name);
  e->stream->time_base = e->codec->time_base;
  AV_CHECK_GOTO(avformat_write_header(e->mux, NULL), done, "writing the header");
  e->trailer_due = true;
done:
  return rc;
}

static orr_code alloc_frame(AVFrame **frame, int format, const AVCodecContext *c) {
  *frame = av_frame_alloc();
  ORR_CHECK(*frame, ORR_ENOMEM, "out of memory for a film's frame");
  (*frame)->format = format;
  (*frame)->width = c->width;
  (*frame)->height = c->height;
  int ret = av_frame_get_buffer(*frame, 0);
  return ret < 0 ? av_failed(ret, "a frame's buffer") : ORR_OK;
}

static orr_code open_pictures(encoder *e, const data_film *film) {
  const AVCodecContext *c = e->codec;
  e->packet = av_packet_alloc();
  ORR_CHECK(e->packet, ORR_ENOMEM, "out of memory for a film's packet");
  ORR_TRY(alloc_frame(&e->picture, c->pix_fmt, c));
  if (e->format == DATA_FILM_GIF)
    return data_palette_build(film->rgb, film->n * film->height * film->width, GIF_COLOURS,
                              &e->palette);
  ORR_TRY(alloc_frame(&e->rgb, AV_PIX_FMT_RGB24, c));
  e->sws = sws_getContext(c->width, c->height, AV_PIX_FMT_RGB24, c->width, c->height, c->pix_fmt,
                          SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INP, NULL, NULL, NULL);
  ORR_CHECK(e->sws, ORR_ENOMEM, "out of memory for a film's colour conversion");
  return ORR_OK;
}

// The palette's last entry stays transparent: the encoder uses it for pixels that did not change.
static orr_code paint_gif(encoder *e, const uint8_t *rgb) {
  AVFrame *f = e->picture;
  uint32_t argb[AVPALETTE_COUNT] = {0};
  for (int i = 0; i < e->palette.count; i++) {
    const uint8_t *c = e->palette.rgb[i];
    argb[i] = 0xff000000u | (uint32_t)c[0] << 16 | (uint32_t)c[1] << 8 | c[2];
  }
  memcpy(f->data[1], argb, sizeof argb);
  uint8_t *index = orr_malloc((size_t)f->width * (size_t)f->height);
  ORR_CHECK(index, ORR_ENOMEM, "out of memory for a film's frame of %d x %d", f->width, f->height);
  orr_code rc = data_palette_map(&e->palette, rgb, (int64_t)f->width * f->height, index);
  for (int y = 0; y < f->height && rc == ORR_OK; y++)
    memcpy(f->data[0] + (ptrdiff_t)y * f->linesize[0], index + (size_t)y * (size_t)f->width,
           (size_t)f->width);
  orr_free(index);
  return rc;
}

static void paint_mp4(encoder *e, const uint8_t *rgb) {
  size_t row = (size_t)e->rgb->width * 3;
  for (int y = 0; y < e->rgb->height; y++)
    memcpy(e->rgb->data[0] + (ptrdiff_t)y * e->rgb->linesize[0], rgb + (size_t)y * row, row);
  sws_scale(e->sws, (const uint8_t *const *)e->rgb->data, e->rgb->linesize, 0, e->rgb->height,
            e->picture->data, e->picture->linesize);
}

// Takes what the encoder has ready; the muxer gets it.
static orr_code drain(encoder *e) {
  orr_code rc = ORR_OK;
  for (;;) {
    int ret = avcodec_receive_packet(e->codec, e->packet);
    if (ret == AVERROR(EAGAIN) || ret == AVERROR_EOF) return ORR_OK;
    AV_CHECK_GOTO(ret, done, "encoding");
    // Without it the MP4's edit list ends before the last frame. (GIF repeats the last delay.)
    if (e->format == DATA_FILM_MP4) e->packet->duration = 1;
    av_packet_rescale_ts(e->packet, e->codec->time_base, e->stream->time_base);
    e->packet->stream_index = e->stream->index;
    AV_CHECK_GOTO(av_interleaved_write_frame(e->mux, e->packet), done, "writing a frame");
  }
done:
  return rc;
}

static orr_code encode_frames(encoder *e, const data_film *film) {
  orr_code rc = ORR_OK;
  double gif_fps = fmin(film->fps, GIF_FPS_MAX); // browsers slow down shorter delays
  int64_t stride = film->height * film->width * 3;
  for (int64_t i = 0; i < film->n; i++) {
    AV_CHECK_GOTO(av_frame_make_writable(e->picture), done, "a frame's buffer");
    if (e->format == DATA_FILM_GIF)
      ORR_TRY(paint_gif(e, film->rgb + i * stride));
    else
      paint_mp4(e, film->rgb + i * stride);
    e->picture->pts = e->format == DATA_FILM_GIF ? llround((double)i * GIF_TICKS / gif_fps) : i;
    AV_CHECK_GOTO(avcodec_send_frame(e->codec, e->picture), done, "encoding");
    ORR_TRY(drain(e));
  }
  AV_CHECK_GOTO(avcodec_send_frame(e->codec, NULL), done, "encoding");
  ORR_TRY(drain(e));
  e->trailer_due = false;
  AV_CHECK_GOTO(av_write_trailer(e->mux), done, "writing the trailer");
  avio_flush(e->mux->pb);
  AV_CHECK_GOTO(e->mux->pb->error, done, "writing the film");
done:
  return rc;
}

static void close_encoder(encoder *e) {
  // The GIF muxer frees the packet it holds back in its trailer only: a failed film gets one too.
  if (e->trailer_due) av_write_trailer(e->mux);
  sws_freeContext(e->sws);
  av_frame_free(&e->rgb);
  av_frame_free(&e->picture);
  av_packet_free(&e->packet);
  avcodec_free_context(&e->codec);
  if (e->mux && e->mux->pb) {
    av_freep(&e->mux->pb->buffer);
    avio_context_free(&e->mux->pb);
  }
  avformat_free_context(e->mux);
}

orr_code data_film_av_encode(data_film_format format, const data_film *film, uint8_t **out,
                             size_t *bytes) {
  orr_code rc = ORR_OK;
  av_log_set_level(AV_LOG_ERROR); // the encoders' chatter is not for our users
  encoder e = {.format = format};
  ORR_TRY_GOTO(open_mux(&e), close);
  ORR_TRY_GOTO(open_codec(&e, film), close);
  ORR_TRY_GOTO(open_pictures(&e, film), close);
  ORR_TRY_GOTO(encode_frames(&e, film), close);
  *out = e.out.p;
  *bytes = e.out.used;
  e.out.p = NULL;
close:
  close_encoder(&e);
  orr_free(e.out.p);
  return rc;
}
