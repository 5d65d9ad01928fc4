// See the header. MuJoCo renders into a frame buffer of OSMesa's software driver.
#include "data/sim/canvas.h"

#include <GL/osmesa.h>
#include <dlfcn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "data/sim/mujoco.h"

#define CAMERA_DISTANCE 100.0 // m, of a parallel camera; scenes are a few metres wide
#define LARGE_SIDE      512   // pixels; frames with a longer side get fewer samples

// What is called of OSMesa. It brings LLVM, whose relocation takes 20 ms of computing: it is loaded
// where something is drawn, not by every start of the program.
#define OSMESA_FUNCTIONS(X)                                                                        \
  X(CreateContextAttribs) X(MakeCurrent) X(GetCurrentContext) X(DestroyContext)
typedef struct {
#define POINTER(f) __typeof__(&OSMesa##f) f;
  OSMESA_FUNCTIONS(POINTER)
#undef POINTER
} osmesa;

struct data_canvas {
  osmesa gl;
  int height, width; // of a frame
  int samples;       // drawn a pixel, in each direction
  int high, wide;    // samples drawn: samples * height, samples * width
  uint8_t *drawn;    // [high,wide,3], the lowest row first
  OSMesaContext context;
  unsigned char *buffer; // [high,wide,4]: OSMesa wants one, MuJoCo draws to its own
  mjvOption option;
  mjvScene scene;
  mjrContext renderer;
  int geoms;
  bool has_renderer, has_scene;
};

typedef struct {
  data_canvas *canvas;
  mjModel *model;
  mjData *data;
  const data_canvas_view *views;
  int n;
} canvas_job;

void data_canvas_parallel(mjvGLCamera *camera, const double at[3], const double forward[3],
                          const double up[3], double half_height) {
  const double near = CAMERA_DISTANCE - 5, far = CAMERA_DISTANCE + 5;
  for (int i = 0; i < 3; i++) {
    camera->pos[i] = (float)(at[i] - CAMERA_DISTANCE * forward[i]);
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
  canvas_job *job = arg;
  data_canvas *v = job->canvas;
  mjr_makeContext(job->model, &v->renderer, mjFONTSCALE_50);
  v->has_renderer = true;
  mjr_setBuffer(mjFB_OFFSCREEN, &v->renderer);
  mjv_makeScene(job->model, &v->scene, v->geoms);
  v->has_scene = true;
}

static orr_code find(void *library, const char *name, void *slot) {
  void *f = dlsym(library, name);
  ORR_CHECK(f, ORR_EUNSUPPORTED,
            OSMESA_LIBRARY " has no %s; install libosmesa6 of Mesa 20 or later", name);
  memcpy(slot, &f, sizeof f); // a function's address, which ISO C does not convert
  return ORR_OK;
}

// It stays loaded, and MuJoCo finds in it what it draws with.
static orr_code load(osmesa *gl) {
  void *library = dlopen(OSMESA_LIBRARY, RTLD_NOW | RTLD_GLOBAL | RTLD_NODELETE);
  ORR_CHECK(library, ORR_EUNSUPPORTED,
            "the library that draws does not open: %s; install libosmesa6", dlerror());
#define FIND(f) ORR_TRY(find(library, "OSMesa" #f, &gl->f));
  OSMESA_FUNCTIONS(FIND)
#undef FIND
  return ORR_OK;
}

static orr_code make_current(data_canvas *v) {
  ORR_CHECK(v->gl.MakeCurrent(v->context, v->buffer, GL_UNSIGNED_BYTE, v->wide, v->high),
            ORR_EUNSUPPORTED, "OSMesa cannot draw frames of %d x %d with %d x %d samples a pixel",
            v->height, v->width, v->samples, v->samples);
  return ORR_OK;
}

static orr_code make_context(data_canvas *v) {
  ORR_TRY(load(&v->gl));
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
  v->context = v->gl.CreateContextAttribs(attributes, NULL);
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

orr_code data_canvas_create(mjModel *model, int64_t height, int64_t width, int geoms,
                            data_canvas **out) {
  orr_code rc = ORR_OK;
  data_canvas *v = orr_calloc(1, sizeof *v);
  ORR_CHECK(v, ORR_ENOMEM, "out of memory for a renderer");
  v->geoms = geoms;
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
  canvas_job job = {.canvas = v, .model = model};
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
  data_canvas_destroy(v);
  return rc;
}

static void draw_view(const canvas_job *job, const data_canvas_view *view) {
  data_canvas *v = job->canvas;
  const int n = v->samples;
  // the lowest row of a frame buffer comes first
  const mjrRect place = {n * view->x, n * (v->height - view->y - view->h), n * view->w,
                         n * view->h};
  mjvCamera camera;
  mjv_defaultCamera(&camera);
  if (view->camera >= 0) {
    camera.type = mjCAMERA_FIXED;
    camera.fixedcamid = view->camera;
  }
  mjv_updateScene(job->model, job->data, &v->option, NULL, &camera, mjCAT_ALL, &v->scene);
  v->scene.flags[mjRND_SHADOW] = 0;
  v->scene.flags[mjRND_REFLECTION] = 0;
  v->scene.flags[mjRND_SKYBOX] = 0;
  v->scene.flags[mjRND_FOG] = 0;
  v->scene.flags[mjRND_HAZE] = 0;
  for (int eye = 0; view->camera < 0 && eye < 2; eye++)
    view->aim(view->ctx, &v->scene.camera[eye], view->h, view->w);
  mjr_render(place, &v->scene, &v->renderer);
}

static void draw(void *arg) {
  const canvas_job *job = arg;
  const mjrRect all = {0, 0, job->canvas->wide, job->canvas->high};
  for (int i = 0; i < job->n; i++) draw_view(job, &job->views[i]);
  mjr_readPixels(job->canvas->drawn, NULL, all, &job->canvas->renderer);
}

// Averages the samples of each pixel, rounded; the first row of a frame is the highest.
static void average(const data_canvas *v, uint8_t *rgb) {
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

orr_code data_canvas_draw(data_canvas *v, mjModel *model, mjData *data,
                          const data_canvas_view *views, int n, uint8_t *rgb) {
  // Another scene of this thread may have drawn in between.
  if (v->gl.GetCurrentContext() != v->context) ORR_TRY(make_current(v));
  canvas_job job = {.canvas = v, .model = model, .data = data, .views = views, .n = n};
  ORR_TRY(data_mujoco_call(draw, &job, "draw a frame"));
  average(v, rgb);
  return ORR_OK;
}

void data_canvas_destroy(data_canvas *v) {
  if (!v) return;
  if (v->context && v->buffer)
    v->gl.MakeCurrent(v->context, v->buffer, GL_UNSIGNED_BYTE, v->wide, v->high);
  if (v->has_scene) mjv_freeScene(&v->scene);
  if (v->has_renderer) mjr_freeContext(&v->renderer);
  if (v->context) {
    v->gl.MakeCurrent(NULL, NULL, GL_UNSIGNED_BYTE, 0, 0); // else its address stays bound
    v->gl.DestroyContext(v->context);
  }
  orr_free(v->drawn);
  orr_free(v->buffer);
  orr_free(v);
}
