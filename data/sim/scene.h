// What can be simulated: a scene is one of these tables in a file of its own and a row here.
// `orrery data generate --scene NAME` and everything that lists scenes reads them here.
#ifndef DATA_SIM_SCENE_H
#define DATA_SIM_SCENE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "data/shard/views.h"
#include "data/sim/goals.h"
#include "data/sim/skill.h"

// What a scene is made for. A foreign one (below) is played by a library of the user's.
typedef struct {
  int64_t height, width;          // of pictures
  double fps;                     // 1/fps seconds a step
  int task;                       // that whoever acts tries, of the goals
  const data_skill *skill;        // how well; NULL: people of all skills (data_skill_of_episode)
  int64_t voice_first, voice_end; // of who speaks; 0, 0: all
  const char *library;            // NULL = none given
  const char *library_sha256;     // NULL = the pinned one
  const char *assets;             // its pictures; NULL = where it came with them
  int64_t level_first, level_end; // what episodes draw their levels from
  bool easy;                      // the easier kind of levels
  int patience_s;                 // for an answer of the library; 0 = its own choice
  const void *choice;             // of worlds, where a scene has one (data_physics_choice); or NULL
} data_scene_setting;

typedef struct {
  const char *name;                // of --scene
  const char *sentence;            // for the help
  const char *source;              // of the shards
  const char *branch;              // of the shards, unless told otherwise, as what follows
  int64_t height, width;           // of a frame
  double fps;                      //
  bool foreign;                    // a library of the user's plays it, levels and all
  int64_t A;                       // action components
  const char *const *action_names; // [A]
  const char *const *action_units; // [A]; NULL: they have none
  const double *action_most;       // [A] what action 1 is in that unit; -1 is the opposite
  int64_t Q;                       // components of /state
  const char *const *state_names;  // [Q]; none where Q is 0, as is `state`
  const data_goals *goals;         // what there is to achieve; NULL: nothing
  int64_t voices;                  // that speak in it; 0: nobody does
  bool tries;                      // whoever acts tries one of them, and shards say how that went

  const char *needs; // packages, NULL: MuJoCo's and OSMesa's
  // Local. Whether this build has what the scene needs.
  bool (*available)(void);
  // Local. ORR_EINVAL, ORR_ENOMEM, ORR_EUNSUPPORTED. Not thread safe: the renderer belongs to the
  // thread that created it. The setting's texts stay where they are.
  orr_code (*create)(const data_scene_setting *o, void **scene);
  void (*destroy)(void *scene); // takes NULL
  // Local. Begins an episode, with its own driver: a function of (seed, episode) alone.
  orr_code (*start)(void *scene, uint64_t seed, uint64_t episode);
  // Local. From here on the driver draws as `episode` does, so that the two futures `which` 0 and 1
  // of one state go apart. NULL: this scene has no such futures.
  void (*fork)(void *scene, uint64_t episode, int which);
  void (*state)(const void *scene, float *state);     // Local. Writes [Q].
  orr_code (*render)(void *scene, uint8_t *rgb);      // Local. Draws [height,width,3].
  void (*act)(void *scene, float *action);            // Local. The driver's next action [A].
  orr_code (*step)(void *scene, const float *action); // Local. Applies it for 1/fps seconds.
  // Local. Of the last step: what it earned, and whether it ended the episode, whose last frame was
  // then the one before it. NULL: nothing is earned and episodes never end by themselves.
  void (*outcome)(const void *scene, float *reward, bool *over);
  // Local. Which cameras a frame of that size holds. NULL: a frame is one picture.
  void (*views)(int64_t height, int64_t width, data_views *out);
} data_scene;

// X(name): the table data_scene_NAME in data/sim/.
#define DATA_SCENES(X)           X(tabletop) X(arm) X(rooms) X(face) X(coinrun) X(physics)
#define DATA_SCENE_DECLARE(name) extern const data_scene data_scene_##name;
DATA_SCENES(DATA_SCENE_DECLARE)

// Local. Scene number i, NULL past the last one.
const data_scene *data_scene_at(int i);
// Local. ORR_ECONFIG names what was got and the scenes there are.
orr_code data_scene_find(const char *name, const data_scene **out);

#endif
