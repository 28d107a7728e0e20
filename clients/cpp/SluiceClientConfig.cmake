# find_package(SluiceClient): the target Sluice::client.
include(CMakeFindDependencyMacro)
find_dependency(fmt)
find_dependency(Threads)
find_dependency(ZLIB)
find_dependency(Snappy)
find_dependency(PkgConfig)
pkg_check_modules(SLUICE_CLIENT_PACKAGES REQUIRED IMPORTED_TARGET liblz4 libzstd libisal)
include("${CMAKE_CURRENT_LIST_DIR}/SluiceClientTargets.cmake")
