#include "data/sim/coinrun_wheel.h"

#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "base/sha256.h"

// procgen2 0.10.7, the wheel for CPython 3.11 on x86-64: libenv.so, and what its RPATH names.
static const char library_hash[] =
    "1f80dfbb2a132aeb5ba385bd035ee5d329365d3e95affdb982c77023df1a7fe9";
static const struct {
  const char *name, *hash;
} companions[] = {
    {"libQt5Core-99b605ee.so.5.9.7",
     "b03fab621d189b3c36f99ea5f786e1ad588c86be3ea54b490b59b4877e019291"},
    {"libQt5Gui-29f737a9.so.5.9.7",
     "5b80b0caf44c44c992725f525cd8e64e0bda4a24de57f917f8800a76f0bbda9f"},
    {"libattr-4f2a9577.so.1.1.0",
     "52d91d8d84d8334f08faba88dc46399bb76ec2675c7bd18c73b8354b65b570b1"},
    {"libbz2-a273e504.so.1.0.6",
     "2acee2df9bb0831e1a3d96a5512401c327f1797190f4119d3489f055fd34c9bf"},
    {"libcap-79733b59.so.2.22", "4901da1cef9a6e45a550d3f6de7eef54b6c69f28e5ded590fce3cb18270a210c"},
    {"libdw-0-780627ce.176.so", "2d33f9217e15e9afc5f85293ed88fb3dd2d5687a6818bc4785079d8e4c271b98"},
    {"libelf-0-3d9de92a.176.so",
     "8e41c0bb47522bec58bd568b32605977d416c4ab55d43999dfed95bca68244e9"},
    {"libfreetype-c0e61f0c.so.6.14.0",
     "e3aaf8b23d67503d40ce70194b9523a9f65c3a057d2728428756ecc10ea3453f"},
    {"libgcrypt-18957bae.so.11.8.2",
     "87661e20556fb1bd3fce622333b3d8bb1a12c5a49781e73b8c244e7d2bd6dcfa"},
    {"libgpg-error-3f09c3c7.so.0.10.0",
     "5a23e34fa98f2413af7cbd015705e97b63e8852d43c1e9cb831c9ff59af2467b"},
    {"libgraphite2-3fca41c8.so.3.0.1",
     "4e83929b79bc946031b06199f12eb3a9482b3ac478b9ced98345ba7e1fd046fd"},
    {"libharfbuzz-77c15733.so.0.10705.0",
     "a85a643e8e18833ec99d40a6a19908e7d98b233c025757ca987a2954cbde497a"},
    {"libicudata-cb3ba60c.so.50.2",
     "9a2d3de9de06ead5b0856504fb943c55e340d96a144bc1916de3a11fe201a529"},
    {"libicui18n-97d01360.so.50.2",
     "ca8b025d7233ecbc53547761bb9d572446bf0d74ce1dfa3d444bac868d08d767"},
    {"libicuuc-1796a535.so.50.2",
     "64f4f6cf4b69915e9c84bc729434f3e3b65ac371add79fa2cce19490b9e2df53"},
    {"liblz4-af1653fb.so.1.8.3",
     "690a86d96100651e42e0f60c91d32a5c092110943a2e3e262df3d05be1140d47"},
    {"liblzma-004595ca.so.5.2.2",
     "f105629aa48d03620791da98c781e77ac5843723f681fdae5e870e85feed7ad7"},
    {"libpcre-9513aab5.so.1.2.0",
     "02eda850e04931656d8af81f5171bff74d8bec1553d3d85c3d32d7fc5efe8864"},
    {"libpcre2-16-206d15d9.so.0.5.0",
     "2f729eef168ac95f5157deed005aace899fc16bcd3545d824ae5f9b845d8696f"},
    {"libpng15-ce838cd1.so.15.13.0",
     "215a3bda67b419dc9dbe61bb1332ed3ae2848cc86f68adf1148ac75c82bbe7bd"},
    {"libselinux-0922c95c.so.1",
     "d4fa8e7fb3add960a68325a59c9694244aea3213fd739a50815cb067c4965654"},
    {"libsystemd-9be61d21.so.0.6.0",
     "9ed5108326c4b948ab8a031465145219826d64f49c3e90a77770006af3ae9258"}};

static orr_code check_file(const char *path, const char *wanted, const char *remedy) {
  orr_sha256_hex got;
  ORR_TRY(orr_sha256_file(path, &got));
  ORR_CHECK(strcmp(got.s, wanted) == 0, ORR_ECORRUPT,
            "%s: SHA-256 is %s, wanted %s: it is not loaded; %s", path, got.s, wanted, remedy);
  return ORR_OK;
}

// The folder `up` levels above a file, with `below` appended.
static orr_code place(const char *library, int up, const char *below, char out[ORR_PATH_MAX]) {
  const int n = snprintf(out, ORR_PATH_MAX, "%s", library);
  ORR_CHECK(n > 0 && n < ORR_PATH_MAX, ORR_EINVAL, "%s: the path is too long", library);
  for (int i = 0; i < up; i++) {
    char *slash = strrchr(out, '/');
    if (slash) *slash = 0;
  }
  const size_t used = strlen(out), more = strlen(below) + 1;
  ORR_CHECK(used + more <= ORR_PATH_MAX, ORR_EINVAL, "%s: the path is too long", library);
  memcpy(out + used, below, more);
  return ORR_OK;
}

orr_code data_coinrun_wheel_assets(const char *library, char out[ORR_PATH_MAX]) {
  ORR_TRY(place(library, 2, "/assets", out)); // beside prebuilt/
  ORR_CHECK(orr_fs_is_dir(out), ORR_ENOTFOUND,
            "%s: its pictures are not in %s: unpack the whole wheel, or name their folder with "
            "--assets",
            library, out);
  return ORR_OK;
}

orr_code data_coinrun_wheel_check(const char *library, const char *sha256) {
  orr_path folder, path;
  if (sha256) return check_file(library, sha256, "--library-sha256 has to be its own");
  ORR_TRY(check_file(library, library_hash,
                     "take procgen2 0.10.7 for CPython 3.11, or give --library-sha256 if you know "
                     "this file"));
  ORR_TRY(place(library, 4, "/procgen2.libs", folder));
  for (size_t i = 0; i < sizeof companions / sizeof *companions; i++) {
    ORR_TRY(orr_fs_join(path, sizeof path, folder, companions[i].name));
    ORR_CHECK(orr_fs_exists(path), ORR_ENOTFOUND, "%s needs %s: unpack the whole wheel", library,
              path);
    ORR_TRY(check_file(path, companions[i].hash, "unpack procgen2 0.10.7 again"));
  }
  return ORR_OK;
}
