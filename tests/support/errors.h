// Expecting an Error whose message says something.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "base/error.h"

namespace ashlar::testing {

template <class F>
void expect_error(const F& f, const std::string& says) {
  try {
    f();
    ADD_FAILURE() << "expected an error that says: " << says;
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find(says), std::string::npos)
        << "expected: " << says << "\nfound: " << e.what();
  }
}

}  // namespace ashlar::testing
