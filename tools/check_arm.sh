#!/bin/sh
# Builds the kernels and the products of training, with their tests, for 64-bit Arm and runs them in an emulator (qemu-user).
#   tools/check_arm.sh [OPTION OF THE TEST PROGRAM...]
# Libraries for Arm are not needed: of fmt and googletest, headers and sources of the host's packages serve.
set -eu
cd "$(dirname "$0")/.."
sh tools/install_packages.sh --arm
build=build/arm
rm -rf $build
mkdir -p $build/include $build/objects
ln -sfn /usr/include/fmt $build/include/fmt
ln -sfn /usr/include/nlohmann $build/include/nlohmann
google=/usr/src/googletest/googletest
export build google
printf '%s\n' src/base/*.cpp src/tensor/*.cpp src/kernels/*.cpp tests/kernels/*.cpp tests/support/tile_model.cpp \
    src/train/products.cpp tests/train/products_test.cpp \
    $google/src/gtest-all.cc $google/src/gtest_main.cc |
  xargs -P 2 -I{} sh -c '
    object=$build/objects/$(echo {} | tr / _).o
    flags="-Wall -Wextra -Wshadow -Wno-missing-field-initializers -Werror"
    contract=off  # as CMakeLists.txt has it
    case {} in /*) flags= ;; *neon_training*) contract=fast ;; esac
    aarch64-linux-gnu-g++ -std=c++20 -O2 -ffp-contract=$contract -DASHLAR_INSIDE -DFMT_HEADER_ONLY $flags \
      -Isrc -Iinclude -Itests -isystem $build/include -isystem $google/include -I$google -c {} -o "$object" || exit 255'
aarch64-linux-gnu-g++ -static -pthread $build/objects/*.o -o $build/test_kernels
qemu-aarch64 $build/test_kernels --gtest_brief=1 "$@"
