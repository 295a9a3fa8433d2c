#include "sha256.h"

#include <algorithm>
#include <bit>
#include <cstring>

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#ifdef _MSC_VER
#include <intrin.h>
#else
#include <cpuid.h>
#endif
#endif

namespace quoth {
namespace {

// The first 32 bits of the fractions of the cube roots of the first 64 primes.
constexpr uint32_t kRounds[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

uint32_t big_endian(const uint8_t* bytes) {
  return uint32_t{bytes[0]} << 24 | uint32_t{bytes[1]} << 16 | uint32_t{bytes[2]} << 8 | uint32_t{bytes[3]};
}

#if defined(__x86_64__) || defined(_M_X64)

// The processor's own instructions: four rounds a step, six times as fast as the plain loops.
#ifndef _MSC_VER
__attribute__((target("sha,sse4.1,ssse3")))
#endif
void take_block_in_hardware(const uint8_t* block, std::array<uint32_t, 8>& state) {
  const __m128i big_endian_words = _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
  const auto [a, b, c, d, e, f, g, h] = state;
  __m128i abef = _mm_set_epi32(static_cast<int>(a), static_cast<int>(b), static_cast<int>(e), static_cast<int>(f));
  __m128i cdgh = _mm_set_epi32(static_cast<int>(c), static_cast<int>(d), static_cast<int>(g), static_cast<int>(h));
  const __m128i abef_before = abef, cdgh_before = cdgh;
  __m128i words[4];
  for (int step = 0; step < 16; ++step) {
    __m128i& now = words[step % 4];
    if (step < 4) {
      now = _mm_shuffle_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(block) + step), big_endian_words);
    } else {
      const __m128i before = words[(step + 3) % 4];
      const __m128i nine_before = _mm_alignr_epi8(before, words[(step + 2) % 4], 4);
      now = _mm_sha256msg2_epu32(_mm_add_epi32(_mm_sha256msg1_epu32(now, words[(step + 1) % 4]), nine_before), before);
    }
    const __m128i sum = _mm_add_epi32(now, _mm_loadu_si128(reinterpret_cast<const __m128i*>(kRounds) + step));
    cdgh = _mm_sha256rnds2_epu32(cdgh, abef, sum);
    abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(sum, 0x0e));
  }
  abef = _mm_add_epi32(abef, abef_before);
  cdgh = _mm_add_epi32(cdgh, cdgh_before);
  uint32_t first[4], second[4];  // f e b a, h g d c
  _mm_storeu_si128(reinterpret_cast<__m128i*>(first), abef);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(second), cdgh);
  state = {first[3], first[2], second[3], second[2], first[1], first[0], second[1], second[0]};
}

bool has_instructions() {
  constexpr uint32_t kSha = 1u << 29, kSsse3 = 1u << 9, kSse41 = 1u << 19;
#ifdef _MSC_VER
  int leaf0[4], leaf1[4], leaf7[4] = {};
  __cpuid(leaf0, 0);
  __cpuid(leaf1, 1);
  if (leaf0[0] >= 7) __cpuidex(leaf7, 7, 0);
  const uint32_t features = static_cast<uint32_t>(leaf1[2]), extended = static_cast<uint32_t>(leaf7[1]);
#else
  uint32_t a, extended = 0, features = 0, d, c;
  if (!__get_cpuid(1, &a, &d, &features, &c) || !__get_cpuid_count(7, 0, &a, &extended, &c, &d)) return false;
#endif
  return (extended & kSha) != 0 && (features & kSsse3) != 0 && (features & kSse41) != 0;
}
#endif

}  // namespace

void Sha256::take_block(const uint8_t* block) {
#if defined(__x86_64__) || defined(_M_X64)
  static const bool in_hardware = has_instructions();
  if (in_hardware) return take_block_in_hardware(block, state_);
#endif
  uint32_t schedule[64];
  for (int t = 0; t < 16; ++t) schedule[t] = big_endian(block + 4 * t);
  for (int t = 16; t < 64; ++t) {
    const uint32_t early = schedule[t - 15], late = schedule[t - 2];
    const uint32_t small0 = std::rotr(early, 7) ^ std::rotr(early, 18) ^ (early >> 3);
    const uint32_t small1 = std::rotr(late, 17) ^ std::rotr(late, 19) ^ (late >> 10);
    schedule[t] = schedule[t - 16] + small0 + schedule[t - 7] + small1;
  }
  auto [a, b, c, d, e, f, g, h] = state_;
  for (int t = 0; t < 64; ++t) {
    const uint32_t big1 = std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25);
    const uint32_t one = h + big1 + ((e & f) ^ (~e & g)) + kRounds[t] + schedule[t];
    const uint32_t big0 = std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22);
    const uint32_t two = big0 + ((a & b) ^ (a & c) ^ (b & c));
    h = g, g = f, f = e, e = d + one, d = c, c = b, b = a, a = one + two;
  }
  const uint32_t after[8] = {a, b, c, d, e, f, g, h};
  for (int i = 0; i < 8; ++i) state_[i] += after[i];
}

void Sha256::update(std::span<const uint8_t> bytes) {
  size_t held = num_bytes_ % 64;
  num_bytes_ += bytes.size();
  if (held != 0) {
    const size_t taken = std::min(64 - held, bytes.size());
    std::copy_n(bytes.data(), taken, held_.data() + held);
    bytes = bytes.subspan(taken);
    if (held + taken < 64) return;
    take_block(held_.data());
  }
  for (; bytes.size() >= 64; bytes = bytes.subspan(64)) take_block(bytes.data());
  std::copy(bytes.begin(), bytes.end(), held_.begin());
}

std::array<uint8_t, 32> Sha256::digest() {
  const uint64_t num_bits = num_bytes_ * 8;
  uint8_t tail[72] = {0x80};
  // A one bit, zeros up to 8 bytes before the end of a block, and the length.
  const size_t num_zeros = (119 - num_bytes_ % 64) % 64;
  for (int i = 0; i < 8; ++i) tail[1 + num_zeros + i] = static_cast<uint8_t>(num_bits >> (56 - 8 * i));
  update({tail, 1 + num_zeros + 8});
  std::array<uint8_t, 32> result;
  for (int i = 0; i < 32; ++i) result[i] = static_cast<uint8_t>(state_[i / 4] >> (24 - 8 * (i % 4)));
  return result;
}

}  // namespace quoth
