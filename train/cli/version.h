// `orrery --version`.
#ifndef TRAIN_CLI_VERSION_H
#define TRAIN_CLI_VERSION_H

// Local. Prints the version, the commit, the compiler, the devices that there is code for and the
// libraries to stdout: what a report of a fault has to begin with.
void train_version_print(void);

#endif
