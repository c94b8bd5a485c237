#include "equations/lexer.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <system_error>

namespace bouton::equations {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\f'; }

// Letters that word processors and keyboards put where the language has an ASCII one.
std::string_view ascii_for(std::string_view letter) {
  static constexpr std::pair<std::string_view, std::string_view> substitutes[] = {
      {"\u2212", "-"},   {"\u2013", "-"},
      {"\u2014", "-"},   {"\u00b5", "u"},
      {"\u03bc", "u"},   {"\u00b7", "*"},
      {"\u00d7", "*"},   {"\u2062", "*"},
      {"\u00f7", "/"},   {"\u2264", "<="},
      {"\u2265", ">="},  {"\u2260", "!="},
      {"\u03a9", "ohm"}, {"\u2126", "ohm"},
      {"\u221e", "inf"}, {"\u03c0", "pi"},
      {"\u03be", "xi"},  {"\u201c", "\""},
      {"\u201d", "\""},  {"\u00b2", "**2"},
      {"\u00b3", "**3"}, {"\u00a0", "a plain space"}};
  for (const auto& [from, to] : substitutes) {
    if (letter == from) return to;
  }
  return {};
}

class Lexer {
 public:
  Lexer(const SourceText& source, std::vector<Diagnostic>& errors)
      : source_(source), text_(source.text), errors_(errors) {}

  std::vector<LogicalLine> run() {
    if (text_.starts_with("\xEF\xBB\xBF")) at_ = 3;
    while (at_ < text_.size()) read_line();
    return std::move(lines_);
  }

 private:
  static constexpr std::size_t most_errors = 20;
  static constexpr std::size_t longest_name = 64;

  void report(Span span, std::string code, std::string message, std::string hint = {}) {
    line_.broken = true;
    if (errors_.size() < most_errors)
      errors_.push_back(diagnostic_at(source_, span, std::move(code), std::move(message), std::move(hint)));
  }

  void read_line() {
    line_ = {};
    open_ = 0;
    line_.indent = skip_indent();
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '\n') {
        if (open_ == 0 || next_line_starts_anew()) break;
        ++at_;
      } else if (is_blank(c)) {
        ++at_;
      } else if (c == '#') {
        read_comment();
      } else if (c == '\\' && rest_of_line_blank(at_ + 1)) {
        at_ = std::min(text_.find('\n', at_), text_.size() - 1) + 1;
      } else {
        read_token();
      }
    }
    if (!line_.tokens.empty() || line_.broken) {
      const std::size_t end = line_.tokens.empty() ? at_ : line_.tokens.back().span.end;
      line_.tokens.push_back({Token::Kind::end, {}, 0, {end, end}});
      lines_.push_back(std::move(line_));
    }
    if (at_ < text_.size()) ++at_;
  }

  std::size_t skip_indent() {
    std::size_t columns = 0;
    for (; at_ < text_.size() && is_blank(text_[at_]); ++at_) {
      if (text_[at_] == '\t') columns = (columns / 8 + 1) * 8;
      if (text_[at_] == ' ') ++columns;
    }
    return columns;
  }

  bool rest_of_line_blank(std::size_t at) const {
    while (at < text_.size() && is_blank(text_[at])) ++at;
    return at >= text_.size() || text_[at] == '\n';
  }

  // A forgotten ')' must not swallow the rest of the file: a line that can only be the start of another ends this one.
  bool next_line_starts_anew() const {
    std::size_t at = at_ + 1;
    while (at < text_.size() && (is_blank(text_[at]) || text_[at] == '\n')) ++at;
    std::size_t end = at;
    while (end < text_.size() && (is_letter(text_[end]) || is_digit(text_[end]))) ++end;
    const std::string_view word = std::string_view(text_).substr(at, end - at);
    if (word.empty()) return false;
    const auto& keywords = line_keywords();
    if (std::find(keywords.begin(), keywords.end(), word) != keywords.end()) return true;
    while (end < text_.size() && text_[end] == ' ') ++end;
    return text_.compare(end, 4, "/dt ") == 0 || text_.compare(end, 4, "/dt=") == 0;
  }

  void read_comment() {
    const std::size_t end = std::min(text_.find('\n', at_), text_.size());
    std::string_view comment = std::string_view(text_).substr(at_ + 1, end - at_ - 1);
    while (!comment.empty() && is_blank(comment.front())) comment.remove_prefix(1);
    while (!comment.empty() && is_blank(comment.back())) comment.remove_suffix(1);
    if (!line_.comment.empty() && !comment.empty()) line_.comment += ' ';
    if (!line_.tokens.empty()) line_.comment += comment;
    at_ = end;
  }

  void read_token() {
    const char c = text_[at_];
    if (is_digit(c) || (c == '.' && at_ + 1 < text_.size() && is_digit(text_[at_ + 1]))) return read_number();
    if (is_letter(c)) return read_name();
    if (c == '"') return read_string();
    for (const std::string_view two : {"**", "<=", ">=", "==", "!=", "+=", "-=", "*=", "/="}) {
      if (text_.compare(at_, 2, two) == 0) return add(Token::Kind::punctuation, 2);
    }
    if (std::string_view("+-*/()[],:=<>").find(c) != std::string_view::npos) {
      if (c == '(' || c == '[') ++open_;
      if ((c == ')' || c == ']') && open_ > 0) --open_;
      return add(Token::Kind::punctuation, 1);
    }
    report_unreadable();
  }

  void add(Token::Kind kind, std::size_t length) {
    line_.tokens.push_back({kind, std::string_view(text_).substr(at_, length), 0, {at_, at_ + length}});
    at_ += length;
  }

  void read_name() {
    std::size_t end = at_;
    while (end < text_.size() && (is_letter(text_[end]) || is_digit(text_[end]))) ++end;
    const Span span{at_, end};
    add(Token::Kind::name, end - at_);
    if (end - span.begin > longest_name)
      report(span, "syntax", "a name has at most 64 letters, and this has " + std::to_string(end - span.begin));
  }

  void read_number() {
    std::size_t end = at_;
    const auto digits = [&] {
      while (end < text_.size() && is_digit(text_[end])) ++end;
    };
    digits();
    if (end < text_.size() && text_[end] == '.') ++end;
    digits();
    if (end < text_.size() && (text_[end] == 'e' || text_[end] == 'E')) {
      std::size_t exponent = end + 1;
      if (exponent < text_.size() && (text_[exponent] == '+' || text_[exponent] == '-')) ++exponent;
      if (exponent < text_.size() && is_digit(text_[exponent])) {
        end = exponent;
        digits();
      }
    }
    double value = 0;
    const auto [stop, error] = std::from_chars(text_.data() + at_, text_.data() + end, value);
    const Span span{at_, end};
    add(Token::Kind::number, end - at_);
    line_.tokens.back().value = value;
    if (error != std::errc{} || !std::isfinite(value))
      report(span, "number-range", "this number does not fit into double precision");
  }

  void read_string() {
    std::size_t end = at_ + 1;
    while (end < text_.size() && text_[end] != '"' && text_[end] != '\n') ++end;
    const Span span{at_, end};
    if (end >= text_.size() || text_[end] == '\n') {
      report(span, "syntax", "this text has no closing quote", "each line of a description is quoted by itself");
      at_ = end;
      return;
    }
    add(Token::Kind::string, end + 1 - at_);
    line_.tokens.back().text = std::string_view(text_).substr(span.begin + 1, end - span.begin - 1);
  }

  void report_unreadable() {
    std::size_t end = at_ + 1;
    while (end < text_.size() && (static_cast<unsigned char>(text_[end]) & 0xC0) == 0x80) ++end;
    const std::string letter = text_.substr(at_, end - at_);
    const std::string_view substitute = ascii_for(letter);
    std::string hint = substitute.empty() ? "" : "write " + std::string(substitute);
    if (letter == "^") hint = "a power is written a**b";
    if (letter == "'") hint = "descriptions stand in double quotes, and a derivative is written dx/dt";
    if (letter == ";") hint = "each statement has a line of its own";
    if (letter == "&" || letter == "|") hint = "conditions are joined by 'and' and 'or'";
    if (letter == "{" || letter == "}") hint = "blocks are shown by indentation, and groups by parentheses";
    report({at_, end}, "syntax", "'" + letter + "' has no meaning here", std::move(hint));
    at_ = end;
  }

  const SourceText& source_;
  const std::string& text_;
  std::vector<Diagnostic>& errors_;
  std::vector<LogicalLine> lines_;
  LogicalLine line_;
  std::size_t at_ = 0;
  std::size_t open_ = 0;  // parentheses and brackets still open
};

}  // namespace

std::vector<LogicalLine> split_lines(const SourceText& source, std::vector<Diagnostic>& errors) {
  return Lexer(source, errors).run();
}

const std::vector<std::string>& line_keywords() {
  static const std::vector<std::string> words = {"neuron", "parameter",  "input",  "on",     "initially", "each",
                                                 "spike",  "refractory", "output", "solver", "surrogate"};
  return words;
}

}  // namespace bouton::equations
