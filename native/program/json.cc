#include "json.h"

#include <charconv>
#include <cmath>
#include <unordered_set>

#include "../fault.h"

namespace quoth {
namespace {

constexpr int kMaxDepth = 32;             // a plan's header is five deep
constexpr size_t kMaxValues = 4'000'000;  // a 100-layer model has about 50 000

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  Json document() {
    Json value;
    skip_space();
    read_value(value, 0);
    skip_space();
    if (at_ != text_.size()) fail("there is something after the value");
    return value;
  }

 private:
  [[noreturn]] void fail(const char* what) const {
    throw Fault(FaultCode::invalid_plan,
                std::string("it is not the JSON it should be: ") + what + " (byte " + std::to_string(at_) + ")");
  }

  bool ended() const { return at_ >= text_.size(); }

  void skip_space() {
    while (!ended()) {
      const char c = text_[at_];
      if (c != ' ' && c != '\n' && c != '\r' && c != '\t') break;
      ++at_;
    }
  }

  void expect(char c, const char* what) {
    if (ended() || text_[at_] != c) fail(what);
    ++at_;
  }

  void read_word(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) fail("an unknown word");
    at_ += word.size();
  }

  void read_value(Json& value, int depth) {
    if (depth > kMaxDepth) fail("it is nested too deep");
    if (++num_values_ > kMaxValues) fail("it holds too many values");
    if (ended()) fail("it ends too early");
    switch (text_[at_]) {
      case '{':
        return read_object(value, depth);
      case '[':
        return read_array(value, depth);
      case '"':
        value.kind = Json::Kind::string;
        return read_string(value.string);
      case 't':
        read_word("true");
        value.kind = Json::Kind::boolean;
        value.boolean = true;
        return;
      case 'f':
        read_word("false");
        value.kind = Json::Kind::boolean;
        return;
      case 'n':
        read_word("null");
        return;
      default:
        return read_number(value);
    }
  }

  void read_object(Json& value, int depth) {
    value.kind = Json::Kind::object;
    ++at_;
    skip_space();
    if (!ended() && text_[at_] == '}') {
      ++at_;
      return;
    }
    std::unordered_set<std::string> names;
    for (;;) {
      skip_space();
      std::string name;
      if (ended() || text_[at_] != '"') fail("a name is missing");
      read_string(name);
      if (!names.insert(name).second) fail("a name comes twice");
      skip_space();
      expect(':', "a colon is missing");
      skip_space();
      value.members.emplace_back(std::move(name), Json{});
      read_value(value.members.back().second, depth + 1);
      skip_space();
      if (ended()) fail("it ends too early");
      if (text_[at_] == '}') break;
      expect(',', "a comma is missing");
    }
    ++at_;
  }

  void read_array(Json& value, int depth) {
    value.kind = Json::Kind::array;
    ++at_;
    skip_space();
    if (!ended() && text_[at_] == ']') {
      ++at_;
      return;
    }
    for (;;) {
      skip_space();
      value.items.emplace_back();
      read_value(value.items.back(), depth + 1);
      skip_space();
      if (ended()) fail("it ends too early");
      if (text_[at_] == ']') break;
      expect(',', "a comma is missing");
    }
    ++at_;
  }

  bool digit() const { return !ended() && text_[at_] >= '0' && text_[at_] <= '9'; }

  void read_number(Json& value) {
    const size_t start = at_;
    if (text_[at_] == '-') ++at_;
    if (!digit()) fail("a value is missing");
    if (text_[at_] == '0') {
      ++at_;
      if (digit()) fail("a number begins with a zero");
    } else {
      while (digit()) ++at_;
    }
    if (!ended() && text_[at_] == '.') {
      ++at_;
      if (!digit()) fail("a digit is missing");
      while (digit()) ++at_;
    }
    if (!ended() && (text_[at_] == 'e' || text_[at_] == 'E')) {
      ++at_;
      if (!ended() && (text_[at_] == '+' || text_[at_] == '-')) ++at_;
      if (!digit()) fail("a digit is missing");
      while (digit()) ++at_;
    }
    value.kind = Json::Kind::number;
    const auto result = std::from_chars(text_.data() + start, text_.data() + at_, value.number);
    if (result.ec != std::errc() || !std::isfinite(value.number)) fail("a number is out of range");
  }

  uint32_t read_hex4() {
    uint32_t code = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
      if (ended()) fail("it ends too early");
      const char c = text_[at_];
      uint32_t nibble = 0;
      if (c >= '0' && c <= '9') {
        nibble = static_cast<uint32_t>(c - '0');
      } else if (c >= 'a' && c <= 'f') {
        nibble = static_cast<uint32_t>(c - 'a' + 10);
      } else if (c >= 'A' && c <= 'F') {
        nibble = static_cast<uint32_t>(c - 'A' + 10);
      } else {
        fail("an escape is not one");
      }
      code = code << 4 | nibble;
    }
    return code;
  }

  static void append_utf8(std::string& out, uint32_t code) {
    if (code < 0x80) {
      out.push_back(static_cast<char>(code));
    } else if (code < 0x800) {
      out.push_back(static_cast<char>(0xc0 | code >> 6));
      out.push_back(static_cast<char>(0x80 | (code & 0x3f)));
    } else if (code < 0x10000) {
      out.push_back(static_cast<char>(0xe0 | code >> 12));
      out.push_back(static_cast<char>(0x80 | (code >> 6 & 0x3f)));
      out.push_back(static_cast<char>(0x80 | (code & 0x3f)));
    } else {
      out.push_back(static_cast<char>(0xf0 | code >> 18));
      out.push_back(static_cast<char>(0x80 | (code >> 12 & 0x3f)));
      out.push_back(static_cast<char>(0x80 | (code >> 6 & 0x3f)));
      out.push_back(static_cast<char>(0x80 | (code & 0x3f)));
    }
  }

  void read_escape(std::string& out) {
    if (ended()) fail("it ends too early");
    const char c = text_[at_++];
    constexpr std::string_view plain = "\"\\/bfnrt";
    constexpr std::string_view meant = "\"\\/\b\f\n\r\t";
    if (const size_t i = plain.find(c); i != std::string_view::npos) {
      out.push_back(meant[i]);
      return;
    }
    if (c != 'u') fail("an escape is not one");
    uint32_t code = read_hex4();
    if (code >= 0xdc00 && code < 0xe000) fail("half of a surrogate pair");
    if (code >= 0xd800 && code < 0xdc00) {
      if (text_.substr(at_, 2) != "\\u") fail("half of a surrogate pair");
      at_ += 2;
      const uint32_t low = read_hex4();
      if (low < 0xdc00 || low >= 0xe000) fail("half of a surrogate pair");
      code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    append_utf8(out, code);
  }

  // One character of two to four bytes: shortest form, no surrogate, at most U+10FFFF.
  void read_multibyte(std::string& out) {
    const auto byte = [this](size_t i) { return i < text_.size() ? static_cast<uint8_t>(text_[i]) : uint8_t{0}; };
    const uint8_t first = byte(at_);
    const int length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4) fail("it is not UTF-8");
    const uint8_t second = byte(at_ + 1);
    if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) || (first == 0xf0 && second < 0x90) ||
        (first == 0xf4 && second > 0x8f)) {
      fail("it is not UTF-8");
    }
    for (int i = 1; i < length; ++i) {
      if ((byte(at_ + static_cast<size_t>(i)) & 0xc0) != 0x80) fail("it is not UTF-8");
    }
    out.append(text_.substr(at_, static_cast<size_t>(length)));
    at_ += static_cast<size_t>(length);
  }

  void read_string(std::string& out) {
    ++at_;
    for (;;) {
      if (ended()) fail("a string does not end");
      const uint8_t c = static_cast<uint8_t>(text_[at_]);
      if (c == '"') break;
      if (c < 0x20) fail("a control character in a string");
      if (c == '\\') {
        ++at_;
        read_escape(out);
      } else if (c < 0x80) {
        out.push_back(static_cast<char>(c));
        ++at_;
      } else {
        read_multibyte(out);
      }
    }
    ++at_;
  }

  std::string_view text_;
  size_t at_ = 0;
  size_t num_values_ = 0;
};

}  // namespace

const Json* Json::find(std::string_view name) const {
  for (const auto& [key, value] : members) {
    if (key == name) return &value;
  }
  return nullptr;
}

Json parse_json(std::string_view text) {
  return Reader(text).document();
}

}  // namespace quoth
