#include "bouton/completion.hpp"

#include <fmt/format.h>

#include <functional>

namespace bouton::app {
namespace {

struct Choice {
  std::string word, help;
  std::string value_type;  // of an option: "" when it takes none
};

// One command of the tree: the words before it, its options, its subcommands, its positional argument.
struct Node {
  std::string path;  // "", "train", "data get"
  std::vector<Choice> commands, options;
  std::string positional_type;
  std::vector<std::string> positional_words;
};

std::string one_line(std::string text) {
  text = text.substr(0, text.find_first_of("\n"));
  for (char& c : text) {
    if (c == '\'' || c == '"' || c == '[' || c == ']' || c == ':' || c == '`' || c == '$' || c == '\\') c = ' ';
  }
  return text;
}

std::vector<std::string> words_of(const std::string& type) {  // "a|b|c" is a closed list
  std::vector<std::string> words;
  if (type.find('|') == std::string::npos) return words;
  for (std::size_t begin = 0; begin <= type.size();) {
    const auto end = std::min(type.find('|', begin), type.size());
    words.push_back(type.substr(begin, end - begin));
    begin = end + 1;
  }
  return words;
}

Node node_of(const CLI::App& app, const std::string& path) {
  Node node{.path = path, .commands = {}, .options = {}, .positional_type = {}, .positional_words = {}};
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (!sub->get_group().empty()) node.commands.push_back({sub->get_name(), one_line(sub->get_description()), ""});
  }
  for (const CLI::Option* option : app.get_options([](const CLI::Option*) { return true; })) {
    if (option->get_positional()) {
      node.positional_type = option->get_type_name();
      node.positional_words = words_of(node.positional_type);
    }
    for (const std::string& name : option->get_lnames()) {
      node.options.push_back({"--" + name, one_line(option->get_description()),
                              option->get_expected_max() > 0 ? option->get_type_name() : ""});
    }
  }
  return node;
}

void collect(const CLI::App& app, const std::string& path, std::vector<Node>& nodes) {
  nodes.push_back(node_of(app, path));
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    collect(*sub, path.empty() ? sub->get_name() : path + " " + sub->get_name(), nodes);
  }
}

// The command that prints the names a type stands for; "" when files are meant or nothing is known.
std::string names_command(const std::string& type) {
  if (type == type_recipe) return "bouton list recipes --names 2>/dev/null";
  if (type == type_mechanism) return "bouton list mechanisms --names 2>/dev/null";
  if (type == type_data) return "bouton list data --names 2>/dev/null";
  return "";
}

bool takes_files(const std::string& type) { return type == type_file || type == type_recipe || type == type_mechanism; }

std::string join(const std::vector<Choice>& choices) {
  std::string text;
  for (const Choice& choice : choices) text += (text.empty() ? "" : " ") + choice.word;
  return text;
}

std::string join(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

std::string bash_values(const std::string& type, const std::vector<std::string>& words) {
  if (!words.empty()) return fmt::format("COMPREPLY=($(compgen -W '{}' -- \"$current\"))", join(words));
  if (type == type_folder) return "COMPREPLY=($(compgen -d -- \"$current\"))";
  const std::string command = names_command(type);
  std::string text = "COMPREPLY=(";
  if (!command.empty()) text += fmt::format("$(compgen -W \"$({})\" -- \"$current\") ", command);
  if (takes_files(type)) text += "$(compgen -f -- \"$current\")";
  return text + ")";
}

std::string bash(const std::vector<Node>& nodes) {
  std::string text =
      "# bouton completion for bash\n"
      "_bouton() {\n"
      "  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} path='' word\n"
      "  COMPREPLY=()\n"
      "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
      "    case \"$path $word\" in\n";
  for (const Node& node : nodes) {
    for (const Choice& command : node.commands) {
      const std::string path = node.path.empty() ? command.word : node.path + " " + command.word;
      text += fmt::format("      '{} {}') path='{}' ;;\n", node.path, command.word, path);
    }
  }
  text += "    esac\n  done\n  case \"$path $previous\" in\n";
  for (const Node& node : nodes) {
    for (const Choice& option : node.options) {
      if (option.value_type.empty()) continue;
      text += fmt::format("    '{} {}') {}; return ;;\n", node.path, option.word,
                          bash_values(option.value_type, words_of(option.value_type)));
    }
  }
  text += "  esac\n  case \"$path\" in\n";
  for (const Node& node : nodes) {
    text +=
        fmt::format("    '{}')\n      if [[ $current == -* ]]; then COMPREPLY=($(compgen -W '{}' -- \"$current\"))\n",
                    node.path, join(node.options));
    if (!node.commands.empty()) {
      text += fmt::format("      else COMPREPLY=($(compgen -W '{}' -- \"$current\"))\n", join(node.commands));
    } else if (!node.positional_type.empty()) {
      text += "      else " + bash_values(node.positional_type, node.positional_words) + "\n";
    }
    text += "      fi ;;\n";
  }
  return text + "  esac\n}\ncomplete -o filenames -F _bouton bouton ./bouton\n";
}

std::string zsh_values(const std::string& type, const std::vector<std::string>& words) {
  if (!words.empty()) return fmt::format("({})", join(words));
  if (type == type_folder) return "_files -/";
  const std::string command = names_command(type);
  if (command.empty()) return takes_files(type) ? "_files" : " ";
  return fmt::format("{{compadd -- $({}); {}}}", command, takes_files(type) ? "_files" : ":");
}

std::string zsh(const std::vector<Node>& nodes) {
  std::string text = "#compdef bouton\n# bouton completion for zsh\n";
  for (auto node = nodes.rbegin(); node != nodes.rend(); ++node) {
    std::string function = "_bouton" + (node->path.empty() ? "" : "_" + node->path);
    for (char& c : function) c = c == ' ' ? '_' : c;
    text += fmt::format("{}() {{\n  local state line\n  _arguments -C", function);
    for (const Choice& option : node->options) {
      text += fmt::format(
          " \\\n    '{}[{}]{}'", option.word, option.help,
          option.value_type.empty() ? "" : ":value:" + zsh_values(option.value_type, words_of(option.value_type)));
    }
    if (!node->commands.empty()) {
      text += " \\\n    '1: :->command' '*:: :->rest'\n  case $state in\n    command)\n      local -a commands=(";
      for (const Choice& command : node->commands) text += fmt::format("'{}:{}' ", command.word, command.help);
      text += ")\n      _describe command commands ;;\n    rest)\n      case $line[1] in\n";
      for (const Choice& command : node->commands)
        text += fmt::format("        {}) {}_{} ;;\n", command.word, function, command.word);
      text += "      esac ;;\n  esac\n}\n";
    } else {
      if (!node->positional_type.empty())
        text += fmt::format(" \\\n    '*: :{}'", zsh_values(node->positional_type, node->positional_words));
      text += "\n}\n";
    }
  }
  return text + "compdef _bouton bouton\n";
}

std::string fish(const std::vector<Node>& nodes) {
  std::string text = "# bouton completion for fish\ncomplete -c bouton -f\n";
  for (const Node& node : nodes) {
    std::string condition = "__fish_use_subcommand";
    if (!node.path.empty()) {
      condition.clear();
      for (std::size_t begin = 0; begin <= node.path.size();) {
        const auto end = std::min(node.path.find(' ', begin), node.path.size());
        condition += (begin ? "; and " : "") + ("__fish_seen_subcommand_from " + node.path.substr(begin, end - begin));
        begin = end + 1;
      }
    }
    for (const Choice& command : node.commands) {
      text += fmt::format("complete -c bouton -n '{}' -a '{}' -d '{}'\n", condition, command.word, command.help);
    }
    const auto values = [](const std::string& type, const std::vector<std::string>& words) -> std::string {
      if (!words.empty()) return fmt::format(" -a '{}'", join(words));
      if (type == type_folder) return " -a '(__fish_complete_directories)'";
      const std::string command = names_command(type);
      return (command.empty() ? "" : fmt::format(" -a '({})'", command)) + (takes_files(type) ? " -F" : "");
    };
    for (const Choice& option : node.options) {
      const std::string value =
          option.value_type.empty() ? "" : " -r" + values(option.value_type, words_of(option.value_type));
      text += fmt::format("complete -c bouton -n '{}' -l {} -d '{}'{}\n", condition, option.word.substr(2), option.help,
                          value);
    }
    if (node.commands.empty() && !node.positional_type.empty()) {
      const std::string value = values(node.positional_type, node.positional_words);
      if (!value.empty()) text += fmt::format("complete -c bouton -n '{}'{}\n", condition, value);
    }
  }
  return text;
}

}  // namespace

std::string completion_script(const CLI::App& app, const std::string& shell) {
  std::vector<Node> nodes;
  collect(app, "", nodes);
  if (shell == "zsh") return zsh(nodes);
  if (shell == "fish") return fish(nodes);
  return bash(nodes);
}

}  // namespace bouton::app
