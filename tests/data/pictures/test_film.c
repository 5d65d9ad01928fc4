// labels: quick; needs: films
// Pictures and films, decoded back by the libraries that players use.
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libswscale/swscale.h>
#include <png.h>
#include <unistd.h>

#include "base/fault.h"
#include "data/pictures/film_palette.h"
#include "data/pictures/film.h"
#include "tests/base/folder.h"
#include "data/pictures/png.h"

enum { N = 10, H = 24, W = 32 };

typedef struct {
  char dir[FOLDER_PATH];
  uint8_t frames[N][H][W][3];
} fixture;

// A bright square walks over a shaded floor: smooth colours, hard edges, motion.
static int setup(void **state) {
  fixture *f = calloc(1, sizeof *f);
  folder_make(f->dir);
  for (int t = 0; t < N; t++)
    for (int y = 0; y < H; y++)
      for (int x = 0; x < W; x++) {
        int inside = x >= 2 * t && x < 2 * t + 8 && y >= 8 && y < 16;
        uint8_t colour[3] = {(uint8_t)(60 + 3 * x), (uint8_t)(90 + 2 * y), (uint8_t)(80 + x + y)};
        memcpy(f->frames[t][y][x], inside ? (uint8_t[3]){240, 200, 30} : colour, 3);
      }
  *state = f;
  return 0;
}

static int teardown(void **state) {
  fixture *f = *state;
  folder_remove(f->dir);
  free(f);
  return 0;
}

static const char *path_in(const fixture *f, const char *name, char *out, size_t size) {
  assert_int_equal(orr_fs_join(out, size, f->dir, name), ORR_OK);
  return out;
}

typedef struct {
  int count, width, height;
  enum AVCodecID codec;
  enum AVPixelFormat format;
  double seconds; // from the first to the last frame
  uint8_t *rgb;   // [count,height,width,3]
} decoded;

static void keep_frame(decoded *d, const AVFrame *frame) {
  size_t one = (size_t)frame->width * (size_t)frame->height * 3;
  d->width = frame->width;
  d->height = frame->height;
  d->rgb = realloc(d->rgb, one * (size_t)(d->count + 1));
  struct SwsContext *sws = sws_getContext(
      frame->width, frame->height, frame->format, frame->width, frame->height, AV_PIX_FMT_RGB24,
      SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT, NULL, NULL, NULL);
  uint8_t *dst[4] = {d->rgb + one * (size_t)d->count};
  int stride[4] = {frame->width * 3};
  sws_scale(sws, (const uint8_t *const *)frame->data, frame->linesize, 0, frame->height, dst,
            stride);
  sws_freeContext(sws);
  d->count++;
}

static decoded decode(const char *path) {
  decoded d = {0};
  AVFormatContext *in = NULL;
  assert_int_equal(avformat_open_input(&in, path, NULL, NULL), 0);
  assert_true(avformat_find_stream_info(in, NULL) >= 0);
  assert_int_equal(in->nb_streams, 1);
  AVStream *stream = in->streams[0];
  const AVCodec *codec = avcodec_find_decoder(stream->codecpar->codec_id);
  AVCodecContext *c = avcodec_alloc_context3(codec);
  assert_int_equal(avcodec_parameters_to_context(c, stream->codecpar), 0);
  c->thread_count = 1;
  assert_int_equal(avcodec_open2(c, codec, NULL), 0);
  AVPacket *packet = av_packet_alloc();
  AVFrame *frame = av_frame_alloc();
  int64_t first = INT64_MAX, last = INT64_MIN;
  int more = 1;
  while (more) {
    more = av_read_frame(in, packet) >= 0;
    assert_int_equal(avcodec_send_packet(c, more ? packet : NULL), 0);
    if (more) {
      if (packet->pts < first) first = packet->pts;
      if (packet->pts > last) last = packet->pts;
    }
    av_packet_unref(packet);
    while (avcodec_receive_frame(c, frame) == 0) keep_frame(&d, frame);
  }
  d.codec = codec->id;
  d.format = stream->codecpar->format;
  d.seconds = (double)(last - first) * av_q2d(stream->time_base);
  av_frame_free(&frame);
  av_packet_free(&packet);
  avcodec_free_context(&c);
  avformat_close_input(&in);
  return d;
}

static void check_pixels(const fixture *f, const decoded *d, int scale, double mean_most) {
  double total = 0;
  for (int t = 0; t < N; t++)
    for (int y = 0; y < H * scale; y++)
      for (int x = 0; x < W * scale; x++)
        for (int k = 0; k < 3; k++)
          total += abs(d->rgb[((t * d->height + y) * d->width + x) * 3 + k] -
                       f->frames[t][y / scale][x / scale][k]);
  double mean = total / (3.0 * N * H * W * scale * scale);
  if (mean >= mean_most) print_error("mean error %g, most %g\n", mean, mean_most);
  assert_true(mean < mean_most);
}

static void test_png_reads_back_equal(void **state) {
  const fixture *f = *state;
  char path[128];
  path_in(f, "one.png", path, sizeof path);
  assert_int_equal(data_png_write(path, f->frames[0][0][0], H, W), ORR_OK);
  png_image image = {.version = PNG_IMAGE_VERSION};
  assert_true(png_image_begin_read_from_file(&image, path));
  assert_int_equal(image.width, W);
  assert_int_equal(image.height, H);
  image.format = PNG_FORMAT_RGB;
  uint8_t back[H][W][3];
  assert_true(png_image_finish_read(&image, NULL, back, 0, NULL));
  assert_memory_equal(back, f->frames[0], sizeof back);
}

static void test_png_film_puts_frames_side_by_side(void **state) {
  const fixture *f = *state;
  uint8_t *png;
  size_t bytes;
  assert_int_equal(data_film_encode(DATA_FILM_PNG, f->frames[0][0][0], N, H, W, 0, 2, &png, &bytes),
                   ORR_OK);
  png_image image = {.version = PNG_IMAGE_VERSION};
  assert_true(png_image_begin_read_from_memory(&image, png, bytes));
  assert_int_equal(image.width, 2 * N * W);
  assert_int_equal(image.height, 2 * H);
  image.format = PNG_FORMAT_RGB;
  uint8_t *back = malloc(PNG_IMAGE_SIZE(image));
  assert_true(png_image_finish_read(&image, NULL, back, 0, NULL));
  for (int t = 0; t < N; t++)
    for (int y = 0; y < 2 * H; y++)
      for (int x = 0; x < 2 * W; x++)
        assert_memory_equal(back + ((y * N + t) * 2 * W + x) * 3, f->frames[t][y / 2][x / 2], 3);
  free(back);
  orr_free(png);
}

static void test_mp4_plays_back_frames_and_rate(void **state) {
  const fixture *f = *state;
  char path[128];
  path_in(f, "film.mp4", path, sizeof path);
  assert_int_equal(data_film_write(path, f->frames[0][0][0], N, H, W, 12.5, 4), ORR_OK);
  decoded d = decode(path);
  assert_int_equal(d.count, N);
  assert_int_equal(d.width, 4 * W);
  assert_int_equal(d.height, 4 * H);
  assert_int_equal(d.format, AV_PIX_FMT_YUV420P);
  assert_true(d.codec == AV_CODEC_ID_H264 || d.codec == AV_CODEC_ID_MPEG4);
  assert_float_equal(d.seconds, (N - 1) / 12.5, 1e-3);
  check_pixels(f, &d, 4, 1.5); // of 255; crf 16 and 4:2:0 chroma: measured 0.97
  free(d.rgb);
}

static void test_mp4_of_odd_sides_is_padded_to_even(void **state) {
  const fixture *f = *state;
  char path[128];
  path_in(f, "odd.MP4", path, sizeof path);
  uint8_t odd[2][3][5][3];
  memset(odd, 200, sizeof odd);
  assert_int_equal(data_film_write(path, odd[0][0][0], 2, 3, 5, 10, 5), ORR_OK);
  decoded d = decode(path);
  assert_int_equal(d.count, 2);
  assert_int_equal(d.width, 26);
  assert_int_equal(d.height, 16);
  const uint8_t *corner = d.rgb + (16 * 26 - 1) * 3;
  for (int k = 0; k < 3; k++) assert_in_range(corner[k], 196, 204); // repeated edge, not black
  free(d.rgb);
  (void)f;
}

static void test_gif_of_few_colours_is_exact(void **state) {
  const fixture *f = *state;
  char path[128];
  path_in(f, "few.gif", path, sizeof path);
  static uint8_t frames[N][H][W][3];
  for (int t = 0; t < N; t++)
    for (int y = 0; y < H; y++)
      for (int x = 0; x < W; x++) { // 250 colours that differ by little
        int i = (x + 5 * y + 31 * t) % 250;
        memcpy(frames[t][y][x], (uint8_t[3]){(uint8_t)(i), (uint8_t)(i / 2), 7}, 3);
      }
  assert_int_equal(data_film_write(path, frames[0][0][0], N, H, W, 10, 1), ORR_OK);
  decoded d = decode(path);
  assert_int_equal(d.count, N);
  assert_int_equal(d.width, W);
  assert_int_equal(d.height, H);
  assert_memory_equal(d.rgb, frames, sizeof frames);
  assert_float_equal(d.seconds, (N - 1) / 10.0, 1e-3);
  free(d.rgb);
}

static void test_gif_of_many_colours_is_close(void **state) {
  const fixture *f = *state;
  char path[128];
  path_in(f, "film.gif", path, sizeof path);
  assert_int_equal(data_film_write(path, f->frames[0][0][0], N, H, W, 10, 3), ORR_OK);
  decoded d = decode(path);
  assert_int_equal(d.count, N);
  assert_int_equal(d.width, 3 * W);
  check_pixels(f, &d, 3, 1.2); // 255 of 700 colours: measured 0.77
  free(d.rgb);
}

static void test_palette_spends_entries_where_colours_are(void **state) {
  uint8_t rgb[4096][3];
  for (int i = 0; i < 4096; i++) // a ramp of 256 greens, and one lone red
    memcpy(rgb[i], (uint8_t[3]){(uint8_t)(i % 7), (uint8_t)(i / 16), (uint8_t)(i % 5)}, 3);
  memcpy(rgb[1000], (uint8_t[3]){250, 10, 10}, 3);
  data_palette p;
  assert_int_equal(data_palette_build(rgb[0], 4096, 32, &p), ORR_OK);
  assert_int_equal(p.count, 32);
  uint8_t index[4096];
  assert_int_equal(data_palette_map(&p, rgb[0], 4096, index), ORR_OK);
  assert_in_range(p.rgb[index[1000]][0], 245, 255);
  int most = 0;
  for (int i = 0; i < 4096; i++) {
    int off = abs(p.rgb[index[i]][1] - rgb[i][1]);
    if (off > most) most = off;
  }
  assert_in_range(most, 1, 8); // 256 greens on 31 entries: runs of 8 or 9, bins of 4
}

static void test_equal_films_have_equal_bytes(void **state) {
  const fixture *f = *state;
  for (int format = DATA_FILM_MP4; format <= DATA_FILM_PNG; format++) {
    uint8_t *a, *b;
    size_t na, nb;
    assert_int_equal(
        data_film_encode((data_film_format)format, f->frames[0][0][0], N, H, W, 10, 2, &a, &na),
        ORR_OK);
    assert_int_equal(
        data_film_encode((data_film_format)format, f->frames[0][0][0], N, H, W, 10, 2, &b, &nb),
        ORR_OK);
    assert_int_equal(na, nb);
    assert_memory_equal(a, b, na);
    orr_free(a);
    orr_free(b);
  }
}

static void test_one_frame_is_a_film(void **state) {
  const fixture *f = *state;
  const char *names[] = {"one.mp4", "one.gif", "still.png"};
  for (int i = 0; i < 3; i++) {
    char path[128];
    path_in(f, names[i], path, sizeof path);
    assert_int_equal(data_film_write(path, f->frames[0][0][0], 1, H, W, 10, 1), ORR_OK);
    decoded d = decode(path);
    assert_int_equal(d.count, 1);
    free(d.rgb);
  }
}

static void test_bad_input_is_refused_with_a_reason(void **state) {
  const fixture *f = *state;
  const uint8_t *rgb = f->frames[0][0][0];
  assert_int_equal(data_film_write("/tmp/film.avi", rgb, N, H, W, 10, 1), ORR_EINVAL);
  assert_non_null(strstr(orr_status_message(), ".avi"));
  assert_int_equal(data_film_write("/tmp.gif/film", rgb, N, H, W, 10, 1), ORR_EINVAL);
  uint8_t *out;
  size_t bytes;
  assert_int_equal(data_film_encode(DATA_FILM_GIF, rgb, 0, H, W, 10, 1, &out, &bytes), ORR_EINVAL);
  assert_int_equal(data_film_encode(DATA_FILM_GIF, rgb, N, H, W, 10, 0, &out, &bytes), ORR_EINVAL);
  assert_int_equal(data_film_encode(DATA_FILM_MP4, rgb, N, H, W, 0, 1, &out, &bytes), ORR_EINVAL);
  assert_int_equal(data_film_encode(DATA_FILM_MP4, rgb, N, H, W, 10, 1000, &out, &bytes),
                   ORR_EINVAL);
  assert_non_null(strstr(orr_status_message(), "16384"));
  assert_int_equal(data_png_encode(rgb, 0, W, &out, &bytes), ORR_EINVAL);
  assert_null(out);
  char path[128];
  path_in(f, "missing/film.gif", path, sizeof path);
  assert_int_equal(data_film_write(path, rgb, N, H, W, 10, 1), ORR_ENOTFOUND);
  assert_non_null(strstr(orr_status_message(), "missing"));
}

// Sweep: the n-th call of one kind fails, until none is left to fail.
static int sweep(const fixture *f, orr_fault_kind kind, const char *name) {
  char path[128];
  path_in(f, name, path, sizeof path);
  for (int n = 1; n < 200; n++) {
    orr_fault_arm(kind, n);
    orr_code rc = data_film_write(path, f->frames[0][0][0], N, H, W, 10, 2);
    bool fired = orr_fault_fired(kind);
    orr_fault_arm(kind, 0);
    if (!fired) {
      assert_int_equal(rc, ORR_OK);
      return n - 1;
    }
    // Shrinking a finished picture may fail without harm; whatever fails leaves no torn file.
    if (rc != ORR_OK) assert_true(orr_status_message()[0] != 0);
    if (orr_fs_exists(path)) {
      decoded d = decode(path);
      assert_true(d.count == N || d.count == 1);
      free(d.rgb);
    }
  }
  fail_msg("the sweep over %s did not end", name);
  return 0;
}

static void test_every_fault_is_a_clean_error(void **state) {
  const fixture *f = *state;
  const char *names[] = {"fault.mp4", "fault.gif", "fault.png"};
  for (int i = 0; i < 3; i++) {
    assert_true(sweep(f, ORR_FAULT_MALLOC, names[i]) >= 2);
    assert_true(sweep(f, ORR_FAULT_WRITE, names[i]) >= 1);
    assert_true(sweep(f, ORR_FAULT_FSYNC, names[i]) >= 1);
    assert_true(sweep(f, ORR_FAULT_RENAME, names[i]) >= 1);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_png_reads_back_equal),
      cmocka_unit_test(test_png_film_puts_frames_side_by_side),
      cmocka_unit_test(test_mp4_plays_back_frames_and_rate),
      cmocka_unit_test(test_mp4_of_odd_sides_is_padded_to_even),
      cmocka_unit_test(test_gif_of_few_colours_is_exact),
      cmocka_unit_test(test_gif_of_many_colours_is_close),
      cmocka_unit_test(test_palette_spends_entries_where_colours_are),
      cmocka_unit_test(test_equal_films_have_equal_bytes),
      cmocka_unit_test(test_one_frame_is_a_film),
      cmocka_unit_test(test_bad_input_is_refused_with_a_reason),
      cmocka_unit_test(test_every_fault_is_a_clean_error),
  };
  return cmocka_run_group_tests(tests, setup, teardown);
}
