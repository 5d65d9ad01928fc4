# golden_check: the models against what golden files hold.
add_executable(golden_check tests/golden_check.c tests/golden/golden_file.c tests/golden/golden_report.c
                            tests/golden/golden_run.c)
target_link_libraries(golden_check PRIVATE orr_train PkgConfig::JANSSON m)
set_target_properties(golden_check PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
set(files ${CMAKE_SOURCE_DIR}/tests/golden/tiny.safetensors ${CMAKE_SOURCE_DIR}/tests/golden/odd.safetensors
          ${CMAKE_SOURCE_DIR}/tests/golden/heads.safetensors
          ${CMAKE_SOURCE_DIR}/tests/golden/views.safetensors
          ${CMAKE_SOURCE_DIR}/tests/golden/patchwise.safetensors)
foreach(variant "fp32" "bf16" "fp32 --recompute" "fp32 --threads 1")
  string(REPLACE " " ";" arguments "--precision ${variant}")
  string(REGEX REPLACE "[ -]+" "_" name "golden_${variant}")
  orr_test(${name} LABELS quick NEEDS golden_check COMMAND golden_check ${files} ${arguments})
endforeach()
orr_test(golden_self_test LABELS quick NEEDS golden_check
         PYTHON tests/golden/self_test.py $<TARGET_FILE:golden_check> ${CMAKE_SOURCE_DIR}/tests/golden/tiny.safetensors)
