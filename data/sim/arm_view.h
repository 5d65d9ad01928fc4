// Where the base camera of the arm scene stands. Only data/sim/arm*.c include this file.
#ifndef DATA_ARM_VIEW_H
#define DATA_ARM_VIEW_H

#define DATA_ARM_TILT      0.87 // rad that the camera looks down by, from before the table
#define DATA_ARM_SEEN_X    0.42 // m, the middle of the view
#define DATA_ARM_SEEN_Z    0.06
#define DATA_ARM_SEEN_HALF 0.33 // m from there to its edges

#endif
