// What ends a request inside `native`: a code of `nativeErrorCodes` in native/index.ts and one sentence that names the
// file, tensor or argument at fault. Thrown by any thread, caught in two places: the addon's border and the engine's
// loop.
#pragma once

#include <exception>
#include <new>
#include <stdexcept>
#include <string>

#include "../kernels/error.h"

namespace quoth {

enum class FaultCode { invalid_input, invalid_plan, unsupported, out_of_memory, io, cancelled, closed, internal };

// The code as TypeScript spells it.
constexpr const char* name_of(FaultCode code) {
  switch (code) {
    case FaultCode::invalid_input:
      return "invalid-input";
    case FaultCode::invalid_plan:
      return "invalid-plan";
    case FaultCode::unsupported:
      return "unsupported";
    case FaultCode::out_of_memory:
      return "out-of-memory";
    case FaultCode::io:
      return "io";
    case FaultCode::cancelled:
      return "cancelled";
    case FaultCode::closed:
      return "closed";
    case FaultCode::internal:
      return "internal";
  }
  return "internal";
}

class Fault : public std::runtime_error {
 public:
  Fault(FaultCode code, const std::string& sentence) : std::runtime_error(sentence), code_(code) {}
  FaultCode code() const { return code_; }

 private:
  FaultCode code_;
};

// The fault for a device's status; `what` begins the sentence: "step 3 (linear)".
inline Fault fault_of(const Status& status, const std::string& what) {
  FaultCode code = FaultCode::internal;
  switch (status.code) {
    case Code::invalid_input:
      code = FaultCode::invalid_input;
      break;
    case Code::unsupported:
      code = FaultCode::unsupported;
      break;
    case Code::out_of_memory:
      code = FaultCode::out_of_memory;
      break;
    default:
      break;
  }
  return Fault(code, what + ": " + status.message);
}

// Any exception in flight as a fault. Call it inside a catch block only.
inline Fault current_fault() noexcept {
  try {
    throw;
  } catch (const Fault& fault) {
    return fault;
  } catch (const std::bad_alloc&) {
    return Fault(FaultCode::out_of_memory, "There is not enough memory.");
  } catch (const std::length_error&) {
    return Fault(FaultCode::out_of_memory, "There is not enough memory.");
  } catch (const std::exception& error) {
    return Fault(FaultCode::internal, error.what());
  } catch (...) {
    return Fault(FaultCode::internal, "Something unknown failed.");
  }
}

}  // namespace quoth
