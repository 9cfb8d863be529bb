# The Python package (docs/python.md): python/ashlar with the module ashlar._core, in the build folder under python/.
set(ASHLAR_PYTHON AUTO CACHE STRING "Build the Python package: ON, OFF, or AUTO, where Python's headers and pybind11 are there")
set(python_tests ${CMAKE_SOURCE_DIR}/python/tests/run.py)
if(ASHLAR_PYTHON STREQUAL "AUTO" AND NOT ASHLAR_SANITIZE)
  find_package(Python 3.9 COMPONENTS Interpreter Development.Module QUIET)
  find_package(pybind11 2.10 CONFIG QUIET)
elseif(ASHLAR_PYTHON AND NOT ASHLAR_PYTHON STREQUAL "AUTO")
  find_package(Python 3.9 COMPONENTS Interpreter Development.Module REQUIRED)
  find_package(pybind11 2.10 CONFIG REQUIRED)
endif()

if(Python_Development.Module_FOUND AND pybind11_FOUND)
  pybind11_add_module(ashlar_python MODULE NO_EXTRAS python/core.cpp)
  # Of the library it sees what any other program sees.
  target_link_libraries(ashlar_python PRIVATE $<LINK_ONLY:ashlar_api>)
  target_include_directories(ashlar_python PRIVATE ${CMAKE_SOURCE_DIR}/include)
  target_compile_options(ashlar_python PRIVATE -Wall -Wextra -Wno-missing-field-initializers $<$<CONFIG:Release>:-O1>
                         $<$<BOOL:${ASHLAR_WERROR}>:-Werror>)
  set_target_properties(ashlar_python PROPERTIES OUTPUT_NAME _core CXX_VISIBILITY_PRESET hidden
                        LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/python/ashlar)
  file(GLOB package_files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/python/ashlar/*)
  add_custom_command(OUTPUT ${CMAKE_BINARY_DIR}/python/copied
                     COMMAND ${CMAKE_COMMAND} -E copy ${package_files} ${CMAKE_BINARY_DIR}/python/ashlar
                     COMMAND ${CMAKE_COMMAND} -E touch ${CMAKE_BINARY_DIR}/python/copied
                     DEPENDS ${package_files})
  add_custom_target(ashlar_python_files ALL DEPENDS ${CMAKE_BINARY_DIR}/python/copied)
  add_dependencies(ashlar_python_files ashlar_python)
  install(TARGETS ashlar_python LIBRARY DESTINATION ashlar COMPONENT python EXCLUDE_FROM_ALL)
endif()
if(ASHLAR_TESTS AND NOT ASHLAR_SANITIZE)
  find_package(Python COMPONENTS Interpreter QUIET)
  if(Python_Interpreter_FOUND)
    add_test(NAME library.python COMMAND ${Python_EXECUTABLE} ${python_tests} ${CMAKE_BINARY_DIR}/python)
    set_tests_properties(library.python PROPERTIES TIMEOUT 600 LABELS library SKIP_RETURN_CODE 77)
  endif()
endif()
