// What the arm scene's physics and its model share. Only data/sim/arm*.c include this file.
#ifndef DATA_ARM_MODEL_H
#define DATA_ARM_MODEL_H

#include "data/sim/mujoco.h"

enum { DATA_ARM_JOINTS = 6 };

// Local. The model, compiled; the caller frees it with mj_deleteModel.
orr_code data_arm_compile(double timestep_s, mjModel **out);
// Local. Angles of the six joints that bring the finger tips to hand [6]: x y z roll pitch yaw.
void data_arm_joints(const float *hand, double *angles);

#endif
