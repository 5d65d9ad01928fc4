// What bounces has a soft spring with little damping: restitution exp(-pi 0.03) = 0.91 whatever the
// masses. The floor and what holds things up let nothing bounce. Things slide without friction but
// for planks on pillars; felt brakes by hand (data/sim/physics_play.c).
#include "data/sim/physics_model.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

enum { XML_BYTES = 16384 };

// The floor, from above, has the very shade of the wall: before what a thing stands or flies
// makes no difference to how much of a shade a picture holds.
// Colours of what is no thing are quiet, so that what is saturated is a thing.
static const char *const head =
    "<mujoco model='physics'>"
    "<compiler angle='radian'/>"
    "<option timestep='%.17g' gravity='0 0 %g' cone='elliptic'/>"
    "<size njmax='400' nconmax='100'/>"
    "<visual><quality shadowsize='0' offsamples='0' numslices='24' numstacks='16' numquads='1'/>"
    "<headlight active='0'/></visual>"
    "<default><geom contype='0' conaffinity='0' condim='1' solref='0.2 0.03'/>"
    "<default class='holds'><geom contype='1' conaffinity='1' condim='3' friction='0.6 0.005 0.01' "
    "priority='1' solref='0.02 1'/></default></default>"
    "<worldbody>"
    "<light directional='true' castshadow='false' dir='0 0.6 -0.8' pos='0 -3 4'"
    " ambient='0.55 0.55 0.55' diffuse='0.55 0.55 0.55' specular='0 0 0'/>"
    "<geom type='plane' size='9 9 1' group='3' contype='1' conaffinity='1' priority='1' "
    "solref='0.02 1'/>"
    "<geom type='box' pos='0 1.9 0' size='6 0.1 6' rgba='0.93 0.92 0.90 1'/>"
    "<geom type='box' pos='0 0.76 -2' size='6 1.04 2' rgba='0.827 0.818 0.800 1'/>"
    "<geom type='box' pos='0 -0.29 -2' size='6 0.01 2' rgba='0.56 0.55 0.54 1'/>";

typedef struct {
  char text[XML_BYTES];
  size_t used;
} writer;

static void put(writer *w, const char *xml) {
  const size_t n = strlen(xml);
  if (w->used + n + 1 < XML_BYTES) memcpy(w->text + w->used, xml, n + 1);
  w->used += n;
}

static void put_prop(writer *w, const data_physics_prop *p) {
  static const struct {
    const char *rgba, *how;
    double y, deep;
  } looks[] = {
      [DATA_PHYSICS_WALL] = {"0.40 0.38 0.36", "contype='1' conaffinity='1'", 0, 0.25},
      [DATA_PHYSICS_BLOCK] = {"0.40 0.38 0.36", "", 0, 0.1},
      [DATA_PHYSICS_ICE] = {"0.95 0.97 1.00", "", 0, 0.31},
      [DATA_PHYSICS_FELT] = {"0.20 0.19 0.18", "", 0, 0.31},
  };
  char xml[512];
  snprintf(xml, sizeof xml,
           "<geom type='box' pos='%.9g %g %.9g' size='%.9g %g %.9g' rgba='%s 1' %s/>", p->x,
           looks[p->kind].y, p->z + (p->brake > 0 || p->kind == DATA_PHYSICS_ICE ? 0.004 : 0),
           p->half[0], looks[p->kind].deep, p->half[1], looks[p->kind].rgba, looks[p->kind].how);
  put(w, xml);
}

// A pillar holds up by two round edges: MuJoCo has closed forms for these and boxes, and not for
// two boxes, which at times throw each other up.
static void put_edges(writer *w, const data_physics_prop *p) {
  const double r = 0.5 * p->half[0];
  char xml[256];
  for (int side = -1; side <= 1; side += 2) {
    snprintf(xml, sizeof xml,
             "<geom class='holds' type='sphere' group='3' size='%.9g' pos='%.9g 0 %.9g'/>", r,
             p->x + side * r, p->z + p->half[1] - r);
    put(w, xml);
  }
}

// A dark mark for what is heavy, a light one for what is not.
static void mark_xml(const data_physics_thing *t, char *xml, size_t size) {
  const char *rgb = t->mass >= DATA_PHYSICS_HEAVY ? "0.08 0.08 0.09" : "1 1 1";
  const double r = 0.5 * t->half[1];
  *xml = 0;
  if (t->colour < 0) return;
  if (t->box)
    snprintf(xml, size,
             "<geom type='box' pos='0 %.9g 0' size='%.9g 0.02 %.9g' mass='0' rgba='%s 1'/>", -0.12,
             r, r, rgb);
  else
    snprintf(xml, size, "<geom type='sphere' pos='0 %.9g 0' size='%.9g' mass='0' rgba='%s 1'/>",
             -0.62 * t->half[1], r, rgb);
}

static void put_thing(writer *w, const data_physics_thing *t, int i) {
  static const double grey[3] = {120, 112, 100};
  const double *rgb = t->colour < 0 ? grey : data_physics_rgb[t->colour];
  char xml[1024], shape[160], mark[256];
  if (t->box)
    snprintf(shape, sizeof shape, "type='box' size='%.9g 0.13 %.9g'", t->half[0], t->half[1]);
  else
    snprintf(shape, sizeof shape, "type='sphere' size='%.9g'", t->half[0]);
  mark_xml(t, mark, sizeof mark);
  snprintf(
      xml, sizeof xml,
      "<body name='thing%d' pos='%.17g 0 %.17g'>"
      "<joint type='slide' axis='1 0 0'/><joint type='slide' axis='0 0 1'/>%s"
      "<geom %s mass='%.9g' contype='%d' conaffinity='%d' condim='%d' friction='%g 0.005 0.01' "
      "rgba='%.4f %.4f %.4f 1'/>%s</body>",
      i, t->x, t->z, t->turns ? "<joint type='hinge' axis='0 -1 0'/>" : "", shape, t->mass,
      1 << t->lane, 1 << t->lane, t->friction > 0 ? 3 : 1, t->friction, rgb[0] / 255, rgb[1] / 255,
      rgb[2] / 255, mark);
  put(w, xml);
}

static void put_stage(writer *w, const data_physics_stage *s) {
  char xml[512];
  for (int i = 0; i < s->props; i++) {
    put_prop(w, &s->prop[i]);
    if (s->prop[i].kind == DATA_PHYSICS_BLOCK) put_edges(w, &s->prop[i]);
  }
  snprintf(xml, sizeof xml,
           "<body name='screen' mocap='true' pos='%.9g %g %g'>"
           "<geom type='box' size='%.9g 0.02 %g' rgba='0.30 0.32 0.36 1'/></body>",
           s->screen_x, DATA_PHYSICS_SCREEN_Y, -9.0, s->screen ? s->screen_half : 0.1,
           0.5 * DATA_PHYSICS_SCREEN_TALL);
  put(w, xml);
  snprintf(xml, sizeof xml,
           "<body name='hook' mocap='true' pos='%.9g 0 %g'>"
           "<geom type='box' size='0.02 0.02 1' rgba='0.10 0.10 0.10 1'/></body>",
           s->thing[0].x, 9.0);
  put(w, xml);
  for (int i = 0; i < s->things; i++) put_thing(w, &s->thing[i], i);
}

orr_code data_physics_compile(const data_physics_stage *s, double timestep_s, mjModel **out) {
  writer *w = orr_calloc(1, sizeof *w);
  char *start = orr_format(head, timestep_s, -DATA_PHYSICS_GRAVITY);
  orr_code rc = ORR_OK;
  ORR_CHECK_GOTO(w && start, free_text, ORR_ENOMEM, "out of memory for the physics scene");
  put(w, start);
  put_stage(w, s);
  put(w, "</worldbody></mujoco>");
  ORR_CHECK_GOTO(w->used < XML_BYTES, free_text, ORR_EINVAL,
                 "a world of the physics scene takes %zu bytes, room is for %d", w->used,
                 (int)XML_BYTES);
  rc = data_mujoco_compile("physics", w->text, out);
free_text:
  orr_free(start);
  orr_free(w);
  return rc;
}
