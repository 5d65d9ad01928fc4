// The rooms as MuJoCo sees them: one model for all episodes, whose shapes are set anew for each.
// Order of its shapes: ground, ceiling, a floor for each room, then the parts of each side of each
// room; after them whoever walks and the things.
#include "data/sim/rooms_model.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#define HEIGHT  2.4  // m, of a room
#define DOORWAY 2.0  // m, of a door
#define THICK   0.03 // m, half of a wall's
#define HANGS   1.15 // m, middle of a picture
#define NOWHERE (-9) // m, below ground
enum { FIRST_FLOOR = 2, FIRST_PART = FIRST_FLOOR + DATA_ROOMS };
enum { PARTS = DATA_ROOMS * DATA_ROOMS_SIDES * DATA_ROOMS_PARTS };
enum { PART_LEFT, PART_RIGHT, PART_LINTEL, PART_FRAME, PART_MIDDLE };

static const char *const head =
    "<mujoco model='rooms'>"
    "<compiler angle='radian'/>"
    "<option timestep='%.17g' cone='elliptic' gravity='0 0 -9.81'/>"
    "<size njmax='800' nconmax='200'/>"
    "<visual><quality shadowsize='0' offsamples='0' numslices='20' numstacks='10' numquads='1'/>"
    "<headlight active='0'/></visual>"
    "<asset><texture name='tiles' type='2d' builtin='checker' rgb1='1 1 1' rgb2='0.72 0.72 0.72' "
    "width='64' height='64'/>"
    "<material name='f0' texture='tiles' texrepeat='3 3'/><material name='f1' texture='tiles' "
    "texrepeat='3 3'/><material name='f2' texture='tiles' texrepeat='3 3'/><material name='f3' "
    "texture='tiles' texrepeat='3 3'/></asset>"
    "<default><geom contype='0' conaffinity='0' friction='0.5 0.01 0.001'/>"
    "<default class='touch'><geom contype='1' conaffinity='1'/></default></default>"
    "<worldbody>"
    "<light directional='true' castshadow='false' dir='0.5 0.8 -1' pos='0 0 4'"
    " ambient='0.55 0.55 0.55' diffuse='0.4 0.4 0.4' specular='0 0 0'/>"
    "<light directional='true' castshadow='false' dir='-0.7 -0.4 0.3' pos='0 0 4'"
    " ambient='0 0 0' diffuse='0.25 0.25 0.25' specular='0 0 0'/>"
    "<geom class='touch' type='plane' size='4 4 1' rgba='0.3 0.3 0.3 1'/>"
    "<geom type='box' size='3 3 0.05' pos='0 0 2.45' rgba='0.93 0.93 0.92 1'/>";

static const char *const tail =
    "<body name='walker'>"
    "<joint name='x' type='slide' axis='1 0 0'/><joint name='y' type='slide' axis='0 1 0'/>"
    "<geom class='touch' type='sphere' size='%g' pos='0 0 0.25' mass='20' rgba='0 0 0 0' "
    "friction='0 0 0' priority='1'/></body>"
    "<body name='thing0' pos='0 0 0.2'><freejoint/><geom class='touch' type='box' "
    "size='0.2 0.2 0.2' mass='1'/></body>"
    "<body name='thing1' pos='0 0 0.25'><freejoint/><geom class='touch' type='cylinder' "
    "size='0.18 0.25' mass='1'/></body>"
    "<body name='thing2' pos='0 0 0.22'><freejoint/><geom class='touch' type='sphere' size='0.22' "
    "mass='0.5' condim='6'/></body>"
    "<body name='thing3' pos='0 0 0.35'><freejoint/><geom class='touch' type='box' "
    "size='0.16 0.16 0.35' mass='1.5'/></body>"
    "</worldbody>"
    "<actuator><velocity joint='x' kv='400'/><velocity joint='y' kv='400'/></actuator>"
    "</mujoco>";

orr_code data_rooms_compile(double timestep_s, mjModel **out) {
  char *begin = orr_format(head, timestep_s), *end = orr_format(tail, DATA_ROOMS_SHOULDER);
  const size_t room = 160 * (size_t)(PARTS + DATA_ROOMS);
  char *middle = orr_malloc(room), *at = middle, *xml = NULL;
  orr_code rc = ORR_ENOMEM;
  if (begin && middle && end) {
    for (int i = 0; i < DATA_ROOMS; i++)
      at += snprintf(at, room - (size_t)(at - middle),
                     "<geom type='box' size='%g %g 0.01' material='f%d'/>", DATA_ROOMS_SIZE / 2,
                     DATA_ROOMS_SIZE / 2, i);
    for (int i = 0; i < PARTS; i++)
      at += snprintf(at, room - (size_t)(at - middle), "<geom %stype='box' size='0.1 0.1 0.1'/>",
                     i % DATA_ROOMS_PARTS <= PART_RIGHT ? "class='touch' " : "");
    xml = orr_format("%s%s%s", begin, middle, end);
  }
  if (xml)
    rc = data_mujoco_compile("rooms", xml, out);
  else
    rc = ORR_FAIL(ORR_ENOMEM, "out of memory for the rooms scene");
  orr_free(xml);
  orr_free(middle);
  orr_free(end);
  orr_free(begin);
  return rc;
}

static void paint(mjModel *m, int geom, const double *rgb) {
  for (int i = 0; i < 3; i++) m->geom_rgba[4 * geom + i] = (float)rgb[i];
  m->geom_rgba[4 * geom + 3] = 1;
}

// A box whose long side lies along x or, `turned`, along y.
static void put(mjModel *m, int geom, bool turned, const double at[3], double along, double across,
                double high) {
  double *size = m->geom_size + 3 * geom;
  size[0] = turned ? across : along;
  size[1] = turned ? along : across;
  size[2] = high;
  memcpy(m->geom_pos + 3 * geom, at, 3 * sizeof *at);
  m->geom_sameframe[geom] = 0; // it was compiled at its body's place, and is there no more
  m->geom_rbound[geom] = sqrt(size[0] * size[0] + size[1] * size[1] + size[2] * size[2]);
}

static void hide(mjModel *m, int geom) {
  put(m, geom, false, (const double[3]){0, 0, NOWHERE}, 0.01, 0.01, 0.01);
}

// A side of a room: where its middle is, which way is along it and which way is in.
typedef struct {
  double x, y, in_x, in_y;
  bool turned; // it runs along y
} side_place;

static side_place place_of(int room, int side) {
  static const double out[DATA_ROOMS_SIDES][2] = {{1, 0}, {-1, 0}, {0, 1}, {0, -1}};
  side_place p = {.in_x = -out[side][0], .in_y = -out[side][1], .turned = side < 2};
  data_rooms_middle(room, &p.x, &p.y);
  p.x += out[side][0] * (DATA_ROOMS_SIZE / 2 - THICK);
  p.y += out[side][1] * (DATA_ROOMS_SIZE / 2 - THICK);
  return p;
}

// From `first` to `last` along the side, from its middle, and from `low` to `high`; it stands out
// by `proud` into the room.
static void put_part(mjModel *m, int geom, const side_place *p, double first, double last,
                     double low, double high, double proud, const double *rgb) {
  if (last - first < 0.01) {
    hide(m, geom);
    return;
  }
  const double u = (first + last) / 2;
  const double at[3] = {p->x + p->in_x * proud + (p->turned ? 0 : u),
                        p->y + p->in_y * proud + (p->turned ? u : 0), (low + high) / 2};
  put(m, geom, p->turned, at, (last - first) / 2, THICK, (high - low) / 2);
  paint(m, geom, rgb);
}

static void furnish_side(mjModel *m, const data_rooms_plan *p, int room, int side) {
  const int first = FIRST_PART + (room * DATA_ROOMS_SIDES + side) * DATA_ROOMS_PARTS;
  const int door = data_rooms_door_of(room, side);
  const bool open = door >= 0 && p->open[door];
  const side_place at = place_of(room, side);
  const double end = DATA_ROOMS_SIZE / 2, half = DATA_ROOMS_DOOR / 2;
  const double from = open ? p->door[door] - half : end, to = open ? p->door[door] + half : end;
  const double *wall = p->wall[room];
  put_part(m, first + PART_LEFT, &at, -end, from, 0, HEIGHT, 0, wall);
  put_part(m, first + PART_RIGHT, &at, to, end, 0, HEIGHT, 0, wall);
  put_part(m, first + PART_LINTEL, &at, from, to, DOORWAY, HEIGHT, 0, wall);
  // in the middle of the longer part
  const double hangs = from + end > end - to ? (from - end) / 2 : (to + end) / 2;
  put_part(m, first + PART_FRAME, &at, hangs - 0.38, hangs + 0.38, HANGS - 0.3, HANGS + 0.3, 0.015,
           p->picture[room][side][0]);
  put_part(m, first + PART_MIDDLE, &at, hangs - 0.24, hangs + 0.24, HANGS - 0.17, HANGS + 0.17,
           0.03, p->picture[room][side][1]);
}

void data_rooms_furnish(mjModel *m, const data_rooms_plan *p) {
  for (int r = 0; r < DATA_ROOMS; r++) {
    double at[3] = {0, 0, -0.0095};
    data_rooms_middle(r, &at[0], &at[1]);
    put(m, FIRST_FLOOR + r, false, at, DATA_ROOMS_SIZE / 2, DATA_ROOMS_SIZE / 2, 0.01);
    float *rgba = m->mat_rgba + 4 * m->geom_matid[FIRST_FLOOR + r];
    for (int i = 0; i < 3; i++) rgba[i] = (float)p->floor[r][i];
    for (int s = 0; s < DATA_ROOMS_SIDES; s++) furnish_side(m, p, r, s);
  }
  for (int i = 0; i < DATA_ROOMS_THINGS; i++) paint(m, FIRST_PART + PARTS + 1 + i, p->thing[i]);
}
