// What can go wrong below the engine, and how it is told: a status with a code and a sentence, never an exception
// across the border of a device (it may be another shared library), never an exit.
#pragma once

namespace quoth {

enum class Code {
  ok,
  invalid_input,  // an argument is out of the range its operation states
  unsupported,    // the device does not offer this operation for this type or shape
  out_of_memory,
  device_lost,  // nothing more will work on this device until the process ends
  internal,
};

// The message is a literal: a status is copied freely and never owns memory.
struct Status {
  Code code = Code::ok;
  const char* message = "";
  constexpr bool ok() const { return code == Code::ok; }
};

}  // namespace quoth
