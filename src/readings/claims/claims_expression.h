// Expressions of claims' data files over the JSON of readings.
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"

namespace ashlar {

/// Evaluates text such as "k2.parameters.active < v3.parameters.active" or "max(moe.share) / 2".
/// `names` is an object; a path goes into it by .key, ["key"] and [index].
///   or and not  == != < <= > >=  + - * /  ( )  numbers 'strings' true false
///   min max sum mean len argmin argmax (of a list, an object or several values)
///   abs round floor ceil sqrt has(path) default(path, value)
/// Throws Error(format) naming `where` for what does not parse, is not there or is not a number.
Json evaluate_expression(std::string_view text, const Json& names, std::string_view where);

/// Text with every {expression} replaced by its value: whole numbers in groups of three, others
/// with four digits; {expression:2} with so many digits behind the point.
std::string fill_template(std::string_view text, const Json& names, std::string_view where);

}  // namespace ashlar
