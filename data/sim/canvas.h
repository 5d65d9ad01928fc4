// Pictures by MuJoCo's renderer in an OSMesa context, without a display: a frame of one view, or of
// several side by side. Edges are smoothed by drawing larger and averaging squares of samples: with
// OSMesa that is quicker than multisampling, and unlike it not shifted by a quarter of a pixel.
// Not thread safe: the renderer belongs to the thread that created it. One a thread draws at a
// time.
#ifndef DATA_SIM_CANVAS_H
#define DATA_SIM_CANVAS_H

#include <mujoco/mujoco.h>
#include <stdint.h>

#include "base/status.h"

typedef struct data_canvas data_canvas;

// A rectangle of the frame and what is seen there.
typedef struct {
  int x, y, w, h; // in pixels, from the frame's upper left corner
  int camera;     // number of a camera of the model; -1: `aim` says it
  // Fills place, direction and lens of a camera for a view of h x w pixels.
  void (*aim)(void *ctx, mjvGLCamera *camera, int h, int w);
  void *ctx;
} data_canvas_view;

// Local. For frames of [height,width,3] with at most `geoms` shapes. Sets the model's frame buffer
// size and uploads it. ORR_EUNSUPPORTED names what OSMesa lacks.
orr_code data_canvas_create(mjModel *model, int64_t height, int64_t width, int geoms,
                            data_canvas **out);
void data_canvas_destroy(data_canvas *c); // takes NULL
// Local. Draws `data` as the n views see it into rgb [height,width,3]. What no view covers is
// undefined.
orr_code data_canvas_draw(data_canvas *c, mjModel *model, mjData *data,
                          const data_canvas_view *views, int n, uint8_t *rgb);

// Local. A camera at `from` that looks along `forward` with `up` upwards, parallel to within a
// thousandth of what it shows: it stands far off, and half_height metres about the middle `at` fill
// the view's height.
void data_canvas_parallel(mjvGLCamera *camera, const double at[3], const double forward[3],
                          const double up[3], double half_height);

#endif
