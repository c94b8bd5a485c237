#pragma once
// A table as text, line by line: nothing is copied, for tables may be as large as memory allows.

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <vector>

namespace bouton::data {

struct Cell {
  std::size_t begin = 0, end = 0;  // in the file, without blanks and quotes
};

class TableLines {
 public:
  explicit TableLines(std::string_view text) : text_(text) {}

  // Moves to the next line that is not blank.
  bool next() {
    while (next_ < text_.size()) {
      begin_ = next_;
      end_ = std::min(text_.find('\n', begin_), text_.size());
      next_ = std::min(end_ + 1, text_.size());
      ++number_;
      while (end_ > begin_ && (text_[end_ - 1] == '\r' || text_[end_ - 1] == ' ')) --end_;
      if (end_ > begin_) return true;
    }
    return false;
  }

  [[nodiscard]] std::size_t number() const { return number_; }  // of the line, from 1
  [[nodiscard]] std::size_t begin() const { return begin_; }    // in the file
  [[nodiscard]] std::string_view line() const { return text_.substr(begin_, end_ - begin_); }
  [[nodiscard]] std::string_view text(const Cell& cell) const {
    return text_.substr(cell.begin, cell.end - cell.begin);
  }

  // The cells of the line; a separator within quotes parts nothing.
  [[nodiscard]] std::vector<Cell> cells(char separator = ',') const {
    std::vector<Cell> cells;
    const auto blank = [&](std::size_t at) {
      return text_[at] == ' ' || (text_[at] == '\t' && separator != '\t') || text_[at] == '"';
    };
    for (std::size_t at = begin_;;) {
      const std::size_t stop = cell_end(at, separator);
      Cell cell{at, stop};
      while (cell.begin < cell.end && blank(cell.begin)) ++cell.begin;
      while (cell.end > cell.begin && blank(cell.end - 1)) --cell.end;
      cells.push_back(cell);
      if (stop == end_) return cells;
      at = stop + 1;
    }
  }

 private:
  [[nodiscard]] std::size_t cell_end(std::size_t at, char separator) const {
    std::size_t first = at;
    while (first < end_ && text_[first] == ' ') ++first;
    if (first < end_ && text_[first] == '"') {
      const std::size_t closed = text_.find('"', first + 1);
      if (closed < end_) at = closed;
    }
    return std::min(text_.find(separator, at), end_);
  }

  std::string_view text_;
  std::size_t begin_ = 0, end_ = 0, next_ = 0, number_ = 0;
};

}  // namespace bouton::data
