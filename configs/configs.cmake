# Knobs, and the files that set them.
pkg_check_modules(YAML REQUIRED IMPORTED_TARGET yaml-0.1)
orr_library(configs LINKS orr_base LIBRARIES PkgConfig::YAML)
