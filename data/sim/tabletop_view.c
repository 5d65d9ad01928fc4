// Pictures of the tabletop scene: MuJoCo's renderer in an OSMesa context, without a display.
// The camera stands far off with a narrow lens, so that the picture is parallel to within 0.1
// pixel at 64x64. Edges are smoothed by drawing larger and averaging squares of samples: with
// OSMesa that is quicker than multisampling, and unlike it not shifted by a quarter of a pixel.
#include "data/sim/tabletop_mujoco.h"

#include <GL/osmesa.h>
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "data/sim/tabletop.h"

#define CAMERA_DISTANCE 100.0 // m; the table is 2 m wide
#define LARGE_SIDE      512   // pixels; frames with a longer side get fewer samples

struct data_tabletop_view {
  int height, width; // of a frame
  int samples;       // drawn a pixel, in each direction
  int high, wide;    // samples drawn: samples * height, samples * width
  uint8_t *drawn;    // [high,wide,3], the lowest row first
  OSMesaContext context;
  unsigned char *buffer; // [high,wide,4]: OSMesa wants one, MuJoCo draws to its own
  mjvOption option;
  mjvScene scene;
  mjrContext renderer;
  bool has_renderer, has_scene;
};

typedef struct {
  data_tabletop_view *view;
  mjModel *model;
  mjData *data;
} view_job;

// The camera looks from the side of small y, so that y grows upwards in the picture.
static void aim(mjvGLCamera *camera, int height, int width) {
  double forward[3] = {0, sin(DATA_TABLETOP_TILT), -cos(DATA_TABLETOP_TILT)};
  double up[3] = {0, cos(DATA_TABLETOP_TILT), sin(DATA_TABLETOP_TILT)};
  double half_height = DATA_TABLETOP_VIEW * height / (height < width ? height : width);
  double near = CAMERA_DISTANCE - 5, far = CAMERA_DISTANCE + 5;
  for (int i = 0; i < 3; i++) {
    camera->pos[i] = (float)(-CAMERA_DISTANCE * forward[i]);
    camera->forward[i] = (float)forward[i];
    camera->up[i] = (float)up[i];
  }
  camera->frustum_center = 0;
  camera->frustum_top = (float)(half_height * near / CAMERA_DISTANCE);
  camera->frustum_bottom = -camera->frustum_top;
  camera->frustum_near = (float)near;
  camera->frustum_far = (float)far;
}

static void make_renderer(void *arg) {
  view_job *job = arg;
  data_tabletop_view *v = job->view;
  mjr_makeContext(job->model, &v->renderer, mjFONTSCALE_50);
  v->has_renderer = true;
  mjr_setBuffer(mjFB_OFFSCREEN, &v->renderer);
  mjv_makeScene(job->model, &v->scene, 32);
  v->has_scene = true;
}

static orr_code make_current(data_tabletop_view *v) {
  ORR_CHECK(OSMesaMakeCurrent(v->context, v->buffer, GL_UNSIGNED_BYTE, v->wide, v->high),
            ORR_EUNSUPPORTED, "OSMesa cannot draw frames of %d x %d with %d x %d samples a pixel",
            v->height, v->width, v->samples, v->samples);
  return ORR_OK;
}

static orr_code make_context(data_tabletop_view *v) {
  // The software driver of a rendering is part of its result: a caller's choice must not change
  // the bytes. One thread: parallel workers share the machine's cores.
  setenv("GALLIUM_DRIVER", "llvmpipe", 1);
  setenv("LP_NUM_THREADS", "0", 1);
  const int attributes[] = {OSMESA_FORMAT,
                            OSMESA_RGBA,
                            OSMESA_DEPTH_BITS,
                            24,
                            OSMESA_STENCIL_BITS,
                            8,
                            OSMESA_PROFILE,
                            OSMESA_COMPAT_PROFILE,
                            0};
  v->context = OSMesaCreateContextAttribs(attributes, NULL);
  ORR_CHECK(v->context, ORR_EUNSUPPORTED,
            "OSMesa gives no OpenGL context; is libosmesa6 with llvmpipe installed?");
  size_t samples = (size_t)v->high * (size_t)v->wide;
  v->buffer = orr_malloc(samples * 4);
  v->drawn = orr_malloc(samples * 3);
  ORR_CHECK(v->buffer && v->drawn, ORR_ENOMEM,
            "out of memory: cannot draw frames of %d x %d (%zu bytes)", v->height, v->width,
            samples * 7);
  return make_current(v);
}

orr_code data_tabletop_view_create(mjModel *model, int64_t height, int64_t width,
                                   data_tabletop_view **out) {
  orr_code rc = ORR_OK;
  data_tabletop_view *v = orr_calloc(1, sizeof *v);
  ORR_CHECK(v, ORR_ENOMEM, "out of memory for the tabletop renderer");
  v->height = (int)height;
  v->width = (int)width;
  v->samples = height > LARGE_SIDE || width > LARGE_SIDE ? 2 : 3;
  v->high = v->samples * v->height;
  v->wide = v->samples * v->width;
  ORR_TRY_GOTO(make_context(v), destroy);
  model->vis.global.offheight = v->high;
  model->vis.global.offwidth = v->wide;
  mjr_defaultContext(&v->renderer);
  mjv_defaultScene(&v->scene);
  mjv_defaultOption(&v->option);
  view_job job = {.view = v, .model = model};
  ORR_TRY_GOTO(data_mujoco_call(make_renderer, &job, "make an off-screen renderer"), destroy);
  ORR_CHECK_GOTO(v->renderer.currentBuffer == mjFB_OFFSCREEN, destroy, ORR_EUNSUPPORTED,
                 "OSMesa has no off-screen frame buffers; install libosmesa6 of Mesa 20 or later");
  ORR_CHECK_GOTO(
      v->renderer.offWidth == v->wide && v->renderer.offHeight == v->high, destroy,
      ORR_EUNSUPPORTED, "OSMesa draws at most %d x %d samples, frames of %d x %d need %d x %d",
      v->renderer.offHeight, v->renderer.offWidth, v->height, v->width, v->high, v->wide);
  *out = v;
  return ORR_OK;
destroy:
  data_tabletop_view_destroy(v);
  return rc;
}

static void draw(void *arg) {
  view_job *job = arg;
  data_tabletop_view *v = job->view;
  mjrRect all = {0, 0, v->wide, v->high};
  mjvCamera camera;
  mjv_defaultCamera(&camera);
  mjv_updateScene(job->model, job->data, &v->option, NULL, &camera, mjCAT_ALL, &v->scene);
  v->scene.flags[mjRND_SHADOW] = 0;
  v->scene.flags[mjRND_REFLECTION] = 0;
  v->scene.flags[mjRND_SKYBOX] = 0;
  v->scene.flags[mjRND_FOG] = 0;
  v->scene.flags[mjRND_HAZE] = 0;
  for (int eye = 0; eye < 2; eye++) aim(&v->scene.camera[eye], v->height, v->width);
  mjr_render(all, &v->scene, &v->renderer);
  mjr_readPixels(v->drawn, NULL, all, &v->renderer);
}

// Averages the samples of each pixel, rounded; the first row of a frame is the highest.
static void average(const data_tabletop_view *v, uint8_t *rgb) {
  const int n = v->samples, area = n * n;
  for (int row = 0; row < v->height; row++) {
    const uint8_t *lowest = v->drawn + (size_t)(v->height - 1 - row) * n * v->wide * 3;
    for (int column = 0; column < v->width; column++) {
      for (int c = 0; c < 3; c++) {
        int sum = area / 2;
        for (int i = 0; i < n; i++)
          for (int j = 0; j < n; j++) sum += lowest[((size_t)i * v->wide + column * n + j) * 3 + c];
        rgb[((size_t)row * v->width + column) * 3 + c] = (uint8_t)(sum / area);
      }
    }
  }
}

orr_code data_tabletop_view_draw(data_tabletop_view *v, mjModel *model, mjData *data,
                                 uint8_t *rgb) {
  // Another scene of this thread may have drawn in between.
  if (OSMesaGetCurrentContext() != v->context) ORR_TRY(make_current(v));
  view_job job = {.view = v, .model = model, .data = data};
  ORR_TRY(data_mujoco_call(draw, &job, "draw a frame"));
  average(v, rgb);
  return ORR_OK;
}

void data_tabletop_view_destroy(data_tabletop_view *v) {
  if (!v) return;
  if (v->context && v->buffer)
    OSMesaMakeCurrent(v->context, v->buffer, GL_UNSIGNED_BYTE, v->wide, v->high);
  if (v->has_scene) mjv_freeScene(&v->scene);
  if (v->has_renderer) mjr_freeContext(&v->renderer);
  if (v->context) {
    OSMesaMakeCurrent(NULL, NULL, GL_UNSIGNED_BYTE, 0, 0); // else its address stays bound
    OSMesaDestroyContext(v->context);
  }
  orr_free(v->drawn);
  orr_free(v->buffer);
  orr_free(v);
}
