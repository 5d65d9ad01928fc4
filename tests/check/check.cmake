# Mechanical checks of the sources; self_test proves each of them on a broken copy.
foreach(name layering banned headers globals labels format rooms shell pages)
  orr_test(check_${name} LABELS quick PYTHON tests/check/check.py ${name})
endforeach()
orr_test(check_self_test LABELS quick PYTHON tests/check/self_test.py)
