// The tabletop scene as MuJoCo sees it.
// What touches what: bit 1 of contype/conaffinity is the table, bit 2 everything that stands on it,
// so that the shapes that carry an object's weight and those that meet its neighbours can differ.
// Neighbours meet as spheres (round objects) and boxes, all at one height: MuJoCo has closed forms
// for these pairs, and the forces between them stay level, so nothing climbs on anything.
#include "data/sim/tabletop_model.h"

#include <stdio.h>

#include "base/mem.h"
#include "data/sim/tabletop.h"

// Colours of table and walls are quiet, so that what is saturated is an object.
#define TABLE_RGBA "0.890 0.870 0.830 1"
#define WALL_RGBA  "0.300 0.315 0.350 1"

// The light's share is such that what faces up has exactly its own colour:
// ambient + diffuse * cos(angle of the light) = 0.5 + 0.6 * (1 / 1.2) = 1.
static const char *const scene_head =
    "<mujoco model='tabletop'>"
    "<compiler angle='radian'/>"
    "<option timestep='%.17g' cone='elliptic' gravity='0 0 -9.81'/>"
    "<size njmax='400' nconmax='100'/>"
    "<visual>"
    "<quality shadowsize='0' offsamples='0' numslices='20' numstacks='10' numquads='1'/>"
    "<headlight active='0'/>"
    "</visual>"
    "<default>"
    "<geom friction='0.2 0.005 0.01' solref='0.01 1' contype='0' conaffinity='0'/>"
    "<default class='shape'><geom group='3' contype='2' conaffinity='2'/></default>"
    "<default class='wall'><geom type='plane' size='2 2 1' group='3' contype='2' conaffinity='2' "
    "priority='1' solref='0.06 0.1'/></default>"
    "</default>"
    "<worldbody>"
    "<light directional='true' castshadow='false' dir='0.44721 -0.48990 -1' pos='0 0 4'"
    " ambient='0.5 0.5 0.5' diffuse='0.6 0.6 0.6' specular='0 0 0'/>"
    "<geom class='shape' type='plane' size='2 2 1' contype='1' conaffinity='1'/>"
    "<geom class='wall' pos='-1 0 0' zaxis='1 0 0'/>"
    "<geom class='wall' pos='1 0 0' zaxis='-1 0 0'/>"
    "<geom class='wall' pos='0 -1 0' zaxis='0 1 0'/>"
    "<geom class='wall' pos='0 1 0' zaxis='0 -1 0'/>"
    "<geom type='box' size='1 1 0.05' pos='0 0 -0.05' rgba='" TABLE_RGBA "'/>"
    "<geom type='box' size='3 1 0.1' pos='0 2 0' rgba='" WALL_RGBA "'/>"
    "<geom type='box' size='3 1 0.1' pos='0 -2 0' rgba='" WALL_RGBA "'/>"
    "<geom type='box' size='1 1 0.1' pos='2 0 0' rgba='" WALL_RGBA "'/>"
    "<geom type='box' size='1 1 0.1' pos='-2 0 0' rgba='" WALL_RGBA "'/>";

static const char *const scene_tail =
    "</worldbody>"
    "<actuator>"
    "<velocity joint='puck.x' kv='60' forcelimited='true' forcerange='-60 60'/>"
    "<velocity joint='puck.y' kv='60' forcelimited='true' forcerange='-60 60'/>"
    "</actuator>"
    "</mujoco>";

typedef struct {
  const char *name;
  double rgb[3];
  double radius, middle;
} object_row;
#define ROW(name, r, g, b, radius, middle)                                                         \
  {#name, {r / 255.0, g / 255.0, b / 255.0}, radius, middle},
static const object_row object_rows[] = {DATA_TABLETOP_OBJECT_ROWS(ROW)};

static int slide_joints(char *out, size_t size, const char *name, bool lifts) {
  int n = snprintf(out, size,
                   "<joint name='%s.x' type='slide' axis='1 0 0'/><joint name='%s.y' type='slide' "
                   "axis='0 1 0'/>",
                   name, name);
  if (lifts)
    n += snprintf(out + n, size - (size_t)n,
                  "<joint type='slide' axis='0 0 1'/><joint type='hinge' axis='0 0 1'/>");
  return n;
}

// One body. The puck hovers, held by two slides; box and cylinder slide and turn but don't tip;
// the sphere is free.
static void body_xml(char *out, size_t size, data_tabletop_object object, double level) {
  const object_row *o = &object_rows[object];
  char joints[512] = "<freejoint/>", shape[256] = "", look[256];
  if (object != DATA_TABLETOP_SPHERE)
    slide_joints(joints, sizeof joints, o->name, object != DATA_TABLETOP_PUCK);
  switch (object) {
  case DATA_TABLETOP_PUCK:
    snprintf(look, sizeof look, "type='cylinder' size='%g %g' mass='0'", o->radius, o->middle);
    snprintf(shape, sizeof shape,
             "<geom class='shape' type='sphere' size='%g' pos='0 0 %g' mass='1'/>", o->radius,
             level - o->middle);
    break;
  case DATA_TABLETOP_BOX:
    snprintf(look, sizeof look, "type='box' size='%g %g %g' mass='0.4' contype='3' conaffinity='3'",
             o->radius, o->radius, o->middle);
    break;
  case DATA_TABLETOP_CYLINDER:
    snprintf(look, sizeof look,
             "type='cylinder' size='%g %g' mass='0.4' contype='1' conaffinity='1'", o->radius,
             o->middle);
    snprintf(shape, sizeof shape,
             "<geom class='shape' type='sphere' size='%g' pos='0 0 %g' mass='0'/>", o->radius,
             level - o->middle);
    break;
  default:
    snprintf(look, sizeof look,
             "type='sphere' size='%g' mass='0.3' condim='6' contype='3' conaffinity='3'",
             o->radius);
  }
  snprintf(out, size, "<body name='%s' pos='0 0 %g'>%s%s<geom %s rgba='%.4f %.4f %.4f 1'/></body>",
           o->name, o->middle, joints, shape, look, o->rgb[0], o->rgb[1], o->rgb[2]);
}

static char *scene_xml(double timestep_s) {
  char *head = orr_format(scene_head, timestep_s);
  char bodies[DATA_TABLETOP_OBJECTS][1024];
  for (int o = 0; o < DATA_TABLETOP_OBJECTS; o++)
    body_xml(bodies[o], sizeof bodies[o], (data_tabletop_object)o,
             object_rows[DATA_TABLETOP_SPHERE].middle);
  char *xml = head ? orr_format("%s%s%s%s%s%s", head, bodies[0], bodies[1], bodies[2], bodies[3],
                                scene_tail)
                   : NULL;
  orr_free(head);
  return xml;
}

orr_code data_tabletop_compile(double timestep_s, mjModel **out) {
  char *xml = scene_xml(timestep_s);
  ORR_CHECK(xml, ORR_ENOMEM, "out of memory for the tabletop scene");
  const orr_code rc = data_mujoco_compile("tabletop", xml, out);
  orr_free(xml);
  return rc;
}
