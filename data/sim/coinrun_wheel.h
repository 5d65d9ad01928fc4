// The wheel that CoinRun comes in, PyPI's procgen2: somebody else's upload, so the library in it
// and the libraries beside it are loaded only where their SHA-256 is the one that was looked at.
#ifndef DATA_COINRUN_WHEEL_H
#define DATA_COINRUN_WHEEL_H

#include "base/fs.h"
#include "base/status.h"

// Local. `library` is the absolute path of libenv.so. ORR_ECORRUPT for another hash than ours or,
// where it is not NULL, than `sha256` (64 lower-case digits; what lies beside it is not looked at
// then), with both; ORR_ENOTFOUND where a part of the wheel is missing.
orr_code data_coinrun_wheel_check(const char *library, const char *sha256);
// Local. Where the wheel has the game's pictures, as seen from the library. ORR_ENOTFOUND.
orr_code data_coinrun_wheel_assets(const char *library, char out[ORR_PATH_MAX]);

#endif
