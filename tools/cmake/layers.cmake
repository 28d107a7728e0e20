# sluice_library(NAME [USES folder...] [PACKAGES target...]): one library for one folder.
# The folder's files are included as "<folder>/<file>.h", from a directory of links that holds only this folder,
# and tools/layers.py refuses an include of any folder outside USES before anything of the library compiles.

find_package(Python3 REQUIRED COMPONENTS Interpreter)
# Only the rule about includes, for all libraries.
add_custom_target(layers)

function(sluice_library name)
  cmake_parse_arguments(ARG "" "" "USES;PACKAGES;EXCLUDE" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc ${CMAKE_CURRENT_SOURCE_DIR}/*/*.cc)
  foreach(pattern ${ARG_EXCLUDE})
    list(FILTER sources EXCLUDE REGEX ${pattern})
  endforeach()
  set(root ${CMAKE_BINARY_DIR}/include/${name})
  file(MAKE_DIRECTORY ${root})
  file(CREATE_LINK ${CMAKE_CURRENT_SOURCE_DIR} ${root}/${name} SYMBOLIC)

  add_custom_target(layers_${name} COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tools/layers.py
    ${CMAKE_CURRENT_SOURCE_DIR} ${name} ${ARG_USES} COMMENT "" VERBATIM)
  add_dependencies(layers layers_${name})
  if(sources)
    add_library(${name} STATIC ${sources})
    set(scope PUBLIC)
    target_link_libraries(${name} PRIVATE $<BUILD_INTERFACE:sluice_flags>)
    add_dependencies(${name} layers_${name})
  else()
    add_library(${name} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_include_directories(${name} ${scope} $<BUILD_INTERFACE:${root}>)
  target_link_libraries(${name} ${scope} ${ARG_USES} ${ARG_PACKAGES})
  set_property(GLOBAL APPEND PROPERTY SLUICE_LIBRARIES ${name})
endfunction()

# sluice_test(name SOURCES ... USES ...): one Catch2 program, registered with ctest. The test finds the
# repository's files below SLUICE_SOURCE_DIR.
function(sluice_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;USES" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE sluice_flags ${ARG_USES} sluice_catch_main)
  target_compile_definitions(${name} PRIVATE SLUICE_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  # A test runs once per build: optimising it further costs more than it brings.
  target_compile_options(${name} PRIVATE -O1)
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES ENVIRONMENT SLUICE_SOURCE_DIR=${PROJECT_SOURCE_DIR})
endfunction()
