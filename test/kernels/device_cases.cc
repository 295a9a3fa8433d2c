// The device itself: opening, memory, refusals, and threads that are idle when nothing runs.
#include <chrono>
#include <ctime>
#include <thread>

#include "harness.h"

namespace quoth::test {
namespace {

std::string check_open() {
  Device* device = nullptr;
  const Ops* ops = nullptr;
  DeviceInfo info{};
  if (open_cpu_device(2, "mmx", &device, &ops, &info).code != Code::invalid_input)
    return "unknown instructions were accepted";
  if (open_cpu_device(-1, nullptr, &device, &ops, &info).code != Code::invalid_input) return "-1 threads were accepted";
  if (!open_cpu_device(0, nullptr, &device, &ops, &info).ok()) return "the default did not open";
  const bool complete = info.num_threads >= 1 && info.name[0] != '\0' && info.instructions == instruction_sets().back();
  close_cpu_device(device);
  return complete ? "" : "the device does not say what it is";
}

std::string check_memory() {
  Backend& device = backend("plain");
  void* memory = nullptr;
  if (!device.ops->allocate(device.device, 1000, &memory).ok()) return "allocate failed";
  if (reinterpret_cast<uintptr_t>(memory) % 64 != 0) return "memory is not 64-byte aligned";
  const std::string sent(1000, 'q');
  std::string received(1000, ' ');
  device.ops->upload(device.device, memory, sent.data(), 1000);
  device.ops->synchronize(device.device);
  device.ops->download(device.device, received.data(), memory, 1000);
  device.ops->release(device.device, memory);
  if (received != sent) return "what came back is not what was sent";
  void* none = nullptr;
  const Code code = device.ops->allocate(device.device, uint64_t{1} << 60, &none).code;
  return code == Code::out_of_memory ? "" : "an exabyte was promised";
}

std::string check_refusals() {
  Backend small(1, "plain");
  Random random(1);
  const TestWeight w = make_weight(Type::q8, 16, 64, random);
  Matrix x(65, 64), out(65, 16), narrow(65, 15);
  x.fill(random, Shape::normal);
  if (small.ops->linear(small.device, x.rows(), &w.weight, nullptr, Activation::none, out.rows()).code !=
      Code::invalid_input) {
    return "a step larger than was reserved was run";
  }
  if (small.ops->linear(small.device, x.rows(), &w.weight, nullptr, Activation::none, narrow.rows()).ok())
    return "a wrong shape was run";
  Rows none = x.rows();
  none.num_rows = 0;
  Rows no_out = out.rows();
  no_out.num_rows = 0;
  return small.ops->linear(small.device, none, &w.weight, nullptr, Activation::none, no_out).ok()
             ? ""
             : "a step of no rows failed";
}

// Tiles of a narrow weight, unpacked together, need more room than one of the widest that was reserved for; run under
// an address sanitizer, this finds a scratch that is too small.
std::string check_scratch(const std::string& set) {
  Backend device(1, set.c_str());
  if (!device.ops->reserve(device.device, 64, 5632).ok()) return "reserve failed";
  Random random(3);
  for (const int32_t columns : {32, 1024, 2048, 5632}) {
    const TestWeight w = make_weight(Type::q4, 16 * 40, columns, random);
    Matrix x(40, columns), out(40, 16 * 40), alone(1, 16 * 40);
    x.fill(random, Shape::normal);
    Rows last = x.rows();
    last.data = x.row(39);
    last.num_rows = 1;
    if (!device.ops->linear(device.device, x.rows(), &w.weight, nullptr, Activation::none, out.rows()).ok() ||
        !device.ops->linear(device.device, last, &w.weight, nullptr, Activation::none, alone.rows()).ok()) {
      return "linear failed";
    }
    if (std::memcmp(out.row(39), alone.row(0), sizeof(float) * 640) != 0)
      return text("K=%d: the last row differs", columns);
  }
  return {};
}

// Many short loops in a row: each chunk runs exactly once, whoever takes it.
std::string check_many_loops() {
  Backend device(5, "plain");
  Matrix a(120, 400, 0), b(120, 400, 0);
  for (int32_t t = 0; t < 120; ++t) {
    for (int32_t k = 0; k < 400; ++k) a.at(t, k) = 0, b.at(t, k) = 1;
  }
  constexpr int32_t kLoops = 3000;
  for (int32_t loop = 0; loop < kLoops; ++loop) device.ops->add(device.device, a.rows(), b.rows(), a.rows());
  for (int32_t t = 0; t < 120; ++t) {
    for (int32_t k = 0; k < 400; ++k) {
      if (a.at(t, k) != kLoops) return text("a[%d, %d] was added to %.0f times", t, k, a.at(t, k));
    }
  }
  return {};
}

// Processor time, not wall time: what other programs do does not count.
std::string check_idle() {
  Backend device(4, nullptr);
  Matrix a(200, 400);
  for (int32_t t = 0; t < 200; ++t) std::memset(a.row(t), 0, 400 * sizeof(float));
  device.ops->add(device.device, a.rows(), a.rows(), a.rows());
  const std::clock_t before = std::clock();
  std::this_thread::sleep_for(std::chrono::milliseconds(400));
  const double seconds = static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC;
  return seconds < 0.05 ? "" : text("four idle threads used %.3f s of processor time in 0.4 s", seconds);
}

}  // namespace

void device_cases() {
  run_case("the CPU opens with the best instructions it has, and refuses unknown ones", check_open);
  run_case("device memory is aligned, holds what is sent, and ends in out_of_memory", check_memory);
  run_case("wrong shapes and unreserved sizes are refused, no rows are none", check_refusals);
  for (const std::string& set : instruction_sets()) {
    run_case("a scratch reserved for wide weights holds the tiles of narrow ones, " + set,
             [&] { return check_scratch(set); });
  }
  run_case("each chunk of 3000 loops on 5 threads runs exactly once", check_many_loops);
#if !defined(_WIN32)  // there std::clock counts wall time
  run_case("idle threads use no processor time", check_idle);
#endif
}

}  // namespace quoth::test
