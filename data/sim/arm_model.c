// The arm as MuJoCo sees it, and its inverse kinematics.
//
// Joint by joint: the column turns about z; shoulder and elbow about y; then a wrist whose three
// axes meet in a point, about y, x and z. At angle 0 upper arm and forearm lie along x and the
// hand points down. Links have colours without hue and touch nothing; hand and fingers do.
#include "data/sim/arm_model.h"

#include <math.h>

#include "base/mem.h"
#include "data/sim/arm.h"

#define SHOULDER 0.26 // m above the table
#define UPPER    0.40 // m, length of the upper arm
#define FOREARM  0.40
#define HAND     0.15 // m from the wrist down to the finger tips

static const char *const model_xml =
    "<mujoco model='arm'>"
    "<compiler angle='radian'/>"
    "<option timestep='%.17g' cone='elliptic' impratio='10' gravity='0 0 -9.81'/>"
    "<size njmax='400' nconmax='100'/>"
    "<visual><quality shadowsize='0' offsamples='0' numslices='20' numstacks='10' numquads='1'/>"
    "<headlight active='0'/><map znear='0.01' zfar='60'/></visual>"
    "<default>"
    "<geom contype='0' conaffinity='0' friction='1 0.01 0.001' condim='4' rgba='0.55 0.56 0.60 1'/>"
    "<joint damping='30' armature='0.1'/>"
    "<position kp='3000'/>"
    "<default class='touch'><geom contype='1' conaffinity='1'/></default>"
    "<default class='tip'><geom type='box' size='0.012 0.008 0.03' contype='1' conaffinity='1' "
    "friction='2 0.02 0.002' mass='0.03' rgba='0.871 0.227 0.180 1'/></default>"
    "</default>"
    "<worldbody>"
    "<light directional='true' castshadow='false' dir='-0.6 0.25 -1' pos='0 0 4'"
    " ambient='0.45 0.45 0.45' diffuse='0.65 0.65 0.65' specular='0 0 0'/>"
    "<geom class='touch' type='plane' size='3 3 1' rgba='0.30 0.315 0.35 1' friction='0.6 0.01 "
    "0.001'/>"
    "<geom type='box' size='0.42 0.40 0.01' pos='0.36 0 -0.0095' rgba='0.89 0.87 0.83 1'/>"
    "<body name='disc' mocap='true' pos='0.5 0.1 0'>"
    "<geom type='cylinder' size='%g 0.0015' rgba='0.141 0.627 0.345 1'/></body>"
    "<geom type='cylinder' size='0.07 0.06' pos='0 0 0.06' rgba='0.25 0.26 0.29 1'/>"
    "<body name='column' pos='0 0 %g'>"
    "<joint name='j0' axis='0 0 1'/>"
    "<geom type='cylinder' size='0.05 0.07' pos='0 0 -0.07' mass='1' rgba='0.93 0.93 0.94 1'/>"
    "<body name='upper'>"
    "<joint name='j1' axis='0 1 0'/>"
    "<geom type='capsule' fromto='0 0 0 %g 0 0' size='0.035' mass='0.6'/>"
    "<geom type='sphere' size='0.05' mass='0.1' rgba='0.25 0.26 0.29 1'/>"
    "<body name='forearm' pos='%g 0 0'>"
    "<joint name='j2' axis='0 1 0'/>"
    "<geom type='capsule' fromto='0 0 0 %g 0 0' size='0.028' mass='0.4' rgba='0.93 0.93 0.94 1'/>"
    "<geom type='sphere' size='0.042' mass='0.1' rgba='0.25 0.26 0.29 1'/>"
    "<body name='hand' pos='%g 0 0'>"
    "<joint name='j3' axis='0 1 0'/><joint name='j4' axis='1 0 0'/><joint name='j5' axis='0 0 1'/>"
    "<geom type='sphere' size='0.034' mass='0.1' rgba='0.25 0.26 0.29 1'/>"
    "<geom type='cylinder' size='0.022 0.03' pos='0 0 -0.04' mass='0.1'/>"
    "<geom class='touch' type='box' size='0.018 0.066 0.012' pos='0 0 -0.078' mass='0.1' "
    "rgba='0.25 0.26 0.29 1'/>"
    "<camera name='wrist' pos='0.085 0 -0.02' xyaxes='0 -1 0 0.907 0 -0.42' fovy='80'/>"
    "<site name='tips' pos='0 0 %g' group='5'/>"
    "<body name='left' pos='0 0 -0.12'>"
    "<joint name='left' type='slide' axis='0 -1 0' range='%g %g' limited='true' damping='8' "
    "armature='0.05'/>"
    "<geom class='tip' pos='0 -0.008 0'/></body>"
    "<body name='right' pos='0 0 -0.12'>"
    "<joint name='right' type='slide' axis='0 1 0' range='%g %g' limited='true' damping='8' "
    "armature='0.05'/>"
    "<geom class='tip' pos='0 0.008 0'/></body>"
    "</body></body></body></body>"
    "<body name='block' pos='0.45 0 %g'><freejoint name='block'/>"
    "<geom name='block' class='touch' type='box' size='%g %g %g' mass='0.08' rgba='0.173 0.384 "
    "0.863 1'/></body>"
    "</worldbody>"
    "<actuator>"
    "<position joint='j0'/><position joint='j1' kp='4000'/><position joint='j2' kp='4000'/>"
    "<position joint='j3'/><position joint='j4'/><position joint='j5'/>"
    "<position joint='left' kp='300' forcelimited='true' forcerange='-12 12'/>"
    "<position joint='right' kp='300' forcelimited='true' forcerange='-12 12'/>"
    "</actuator>"
    "</mujoco>";

orr_code data_arm_compile(double timestep_s, mjModel **out) {
  const double b = DATA_ARM_BLOCK_HALF, least = DATA_ARM_FINGER_LEAST, most = DATA_ARM_FINGER_MOST;
  char *xml = orr_format(model_xml, timestep_s, DATA_ARM_DISC_RADIUS, SHOULDER, UPPER, UPPER,
                         FOREARM, FOREARM, -HAND, least, most, least, most, b, b, b, b);
  ORR_CHECK(xml, ORR_ENOMEM, "out of memory for the arm scene");
  const orr_code rc = data_mujoco_compile("arm", xml, out);
  orr_free(xml);
  return rc;
}

// Rz(yaw) Ry(pitch) Rx(roll), row-major.
static void turned(const float *hand, double R[3][3]) {
  const double cr = cos(hand[DATA_ARM_ROLL]), sr = sin(hand[DATA_ARM_ROLL]);
  const double cp = cos(hand[DATA_ARM_PITCH]), sp = sin(hand[DATA_ARM_PITCH]);
  const double cy = cos(hand[DATA_ARM_YAW]), sy = sin(hand[DATA_ARM_YAW]);
  const double r[3][3] = {{cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr},
                          {sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr},
                          {-sp, cp * sr, cp * cr}};
  for (int i = 0; i < 3; i++)
    for (int j = 0; j < 3; j++) R[i][j] = r[i][j];
}

static double within(double v) {
  return fmax(-1, fmin(1, v));
}

void data_arm_joints(const float *hand, double *angles) {
  double R[3][3];
  turned(hand, R);
  // the wrist lies HAND before the tips, against the direction in which the hand points: -R z
  const double x = hand[0] + HAND * R[0][2], y = hand[1] + HAND * R[1][2];
  const double rise = hand[2] + HAND * R[2][2] - SHOULDER, out = hypot(x, y);
  const double far = fmin(hypot(out, rise), 0.999 * (UPPER + FOREARM));
  const double at_shoulder =
      acos(within((UPPER * UPPER + far * far - FOREARM * FOREARM) / (2 * UPPER * far)));
  const double at_elbow =
      acos(within((UPPER * UPPER + FOREARM * FOREARM - far * far) / (2 * UPPER * FOREARM)));
  const double q0 = atan2(y, x);
  angles[0] = q0;
  angles[1] = -(atan2(rise, out) + at_shoulder); // a positive turn about y goes down
  angles[2] = M_PI - at_elbow;
  // What is left of R before the wrist: Ry(a) Rx(b) Rz(c), whose last column and second row are
  // (cos b sin a, -sin b, cos b cos a) and (cos b sin c, cos b cos c, -sin b).
  double M[3][3];
  for (int j = 0; j < 3; j++) {
    M[0][j] = cos(q0) * R[0][j] + sin(q0) * R[1][j];
    M[1][j] = -sin(q0) * R[0][j] + cos(q0) * R[1][j];
    M[2][j] = R[2][j];
  }
  angles[3] = atan2(M[0][2], M[2][2]) - angles[1] - angles[2];
  angles[4] = -asin(within(M[1][2]));
  angles[5] = atan2(M[1][0], M[1][1]);
}
