// Which Orrery this is, and with what it was built: for `orrery --version`, and for whatever wants
// to say who wrote it. Local, thread safe.
#ifndef BASE_VERSION_H
#define BASE_VERSION_H

// "0.1.0"
const char *orr_version(void);
// The commit, "4ecfcc7ab012", followed by "-dirty" where files differed; "unknown" where the
// sources were built outside of their repository.
const char *orr_revision(void);
// "GNU 12.2.0, Release"
const char *orr_compiler(void);

// Told of a library and its version. Each folder tells of those that it alone knows, in a function
// <folder>_versions.
typedef void orr_version_told(void *to, const char *library, const char *version);
void orr_versions(orr_version_told *told, void *to);

#endif
