# cmake -DSOURCE=ROOT -DOUT=FILE -P base/revision.cmake: writes the commit of the sources into a C file, and
# leaves that alone when nothing changed.
cmake_minimum_required(VERSION 3.25)
find_program(GIT git)
set(revision unknown)
if(GIT AND EXISTS ${SOURCE}/.git)
  # safe.directory: sources that another user owns are no danger to a description of them
  execute_process(COMMAND ${GIT} -c safe.directory=* describe --always --dirty --abbrev=12 --exclude=* WORKING_DIRECTORY ${SOURCE}
                  OUTPUT_VARIABLE described RESULT_VARIABLE failed OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(failed EQUAL 0)
    set(revision ${described})
  endif()
endif()
file(CONFIGURE OUTPUT ${OUT} CONTENT "extern const char orr_revision_built[];\nconst char orr_revision_built[] = \"@revision@\";\n" @ONLY)
