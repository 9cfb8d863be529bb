# What `cmake --install` and `cpack` put where (docs/install.md): the program in one component, the library in another.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY ON)  # neither installing nor packing builds anything

# One archive of all folders that the public classes need.
get_property(folders GLOBAL PROPERTY ASHLAR_FOLDERS)
set(script "create ${CMAKE_BINARY_DIR}/libashlar.a\n")
set(archives "")
foreach(folder ${folders})
  string(APPEND script "addlib $<TARGET_FILE:ashlar_${folder}>\n")
  list(APPEND archives ashlar_${folder})
endforeach()
file(GENERATE OUTPUT ${CMAKE_BINARY_DIR}/archive.mri CONTENT "${script}save\nend\n")
list(TRANSFORM archives REPLACE "(.+)" "$<TARGET_FILE:\\1>" OUTPUT_VARIABLE archive_files)
add_custom_command(OUTPUT ${CMAKE_BINARY_DIR}/libashlar.a
                   COMMAND ${CMAKE_COMMAND} -E rm -f ${CMAKE_BINARY_DIR}/libashlar.a
                   COMMAND sh -c "'${CMAKE_AR}' -M < '${CMAKE_BINARY_DIR}/archive.mri'"
                   DEPENDS ${archives} ${archive_files} ${CMAKE_BINARY_DIR}/archive.mri VERBATIM)
add_custom_target(ashlar_archive ALL DEPENDS ${CMAKE_BINARY_DIR}/libashlar.a)

# Manual pages and completions, by the program itself.
set(described ${CMAKE_BINARY_DIR}/described)
add_custom_command(OUTPUT ${described}/made
                   COMMAND ${CMAKE_COMMAND} -E make_directory ${described}
                   COMMAND ashlar --man ${described}/man1
                   COMMAND ashlar --completions bash > ${described}/ashlar.bash
                   COMMAND ashlar --completions zsh > ${described}/_ashlar
                   COMMAND ashlar --completions fish > ${described}/ashlar.fish
                   COMMAND ${CMAKE_COMMAND} -E touch ${described}/made
                   DEPENDS ashlar)
add_custom_target(ashlar_described ALL DEPENDS ${described}/made)

install(TARGETS ashlar RUNTIME COMPONENT program)
install(DIRECTORY ${described}/man1/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT program)
install(FILES ${described}/ashlar.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME ashlar
        COMPONENT program)
install(FILES ${described}/_ashlar DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions COMPONENT program)
install(FILES ${described}/ashlar.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d COMPONENT program)
install(DIRECTORY blueprints machines claims cards DESTINATION ${CMAKE_INSTALL_DATADIR}/ashlar COMPONENT program
        FILES_MATCHING PATTERN *.json)
install(FILES nano/ashlar-nano.gguf DESTINATION ${CMAKE_INSTALL_DATADIR}/ashlar/models COMPONENT program OPTIONAL)
install(FILES README.md CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT program)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME copyright COMPONENT program)

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/ashlar)
configure_package_config_file(cmake/ashlarConfig.cmake.in ${CMAKE_BINARY_DIR}/ashlarConfig.cmake
                              INSTALL_DESTINATION ${package_folder}
                              PATH_VARS CMAKE_INSTALL_LIBDIR CMAKE_INSTALL_INCLUDEDIR)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/ashlarConfigVersion.cmake COMPATIBILITY SameMinorVersion)
configure_file(cmake/ashlar.pc.in ${CMAKE_BINARY_DIR}/ashlar.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/libashlar.a DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library)
install(DIRECTORY include/ashlar DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT library FILES_MATCHING PATTERN *.h)
install(FILES ${CMAKE_BINARY_DIR}/ashlarConfig.cmake ${CMAKE_BINARY_DIR}/ashlarConfigVersion.cmake
        DESTINATION ${package_folder} COMPONENT library)
install(FILES ${CMAKE_BINARY_DIR}/ashlar.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT library)

# Debian packages: ashlar and libashlar-dev.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME ashlar)
set(CPACK_PACKAGE_CONTACT "The authors of Ashlar <ashlar@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "open language models as blueprints: count, plan, draw, compare, run, train")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_COMPONENTS_ALL program library)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_NAME ashlar)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_LIBRARY_PACKAGE_NAME libashlar-dev)
set(CPACK_DEBIAN_LIBRARY_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_LIBRARY_PACKAGE_DEPENDS
    "libfmt-dev, libpcre2-dev, libutf8proc-dev, libcurl4-openssl-dev | libcurl-dev, zlib1g-dev, libzstd-dev, pkg-config")
set(CPACK_COMPONENT_PROGRAM_DESCRIPTION "The ashlar command with its manual pages, completions and data.")
set(CPACK_COMPONENT_LIBRARY_DESCRIPTION "Headers, static library and CMake package for programs that embed Ashlar.")
include(CPack)
