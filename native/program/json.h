// A small strict reader of JSON (RFC 8259) for headers that nobody trusts: no extensions, no duplicate keys, valid
// UTF-8, bounded depth and number of values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace quoth {

struct Json {
  enum class Kind { null, boolean, number, string, array, object };

  Kind kind = Kind::null;
  bool boolean = false;
  double number = 0;
  std::string string;
  std::vector<Json> items;
  std::vector<std::pair<std::string, Json>> members;

  // The member of that name; null when there is none or this is no object.
  const Json* find(std::string_view name) const;
};

// Throws Fault invalid_plan with a sentence that says what is wrong at which byte.
Json parse_json(std::string_view text);

}  // namespace quoth
