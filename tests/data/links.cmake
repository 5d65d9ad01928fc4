# Tests that decode films link the libraries that data/ keeps to itself.
if(name STREQUAL "data_test_film")
  target_link_libraries(${name} PRIVATE PkgConfig::AV PkgConfig::PNG)
endif()
