# Mechanical checks of the sources; self_test proves each of them on a broken copy.
foreach(name layering banned headers own_header globals labels format rooms words shell pages)
  orr_test(check_${name} LABELS quick PYTHON tests/check/check.py ${name})
endforeach()
# By the symbols of the libraries, which must be built.
orr_test(check_symbols LABELS quick PYTHON tests/check/symbols.py ${CMAKE_BINARY_DIR})
orr_test(check_self_test LABELS quick PYTHON tests/check/self_test.py)
