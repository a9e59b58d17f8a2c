package command

import (
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"
)

type completionCommand struct {
	Shell shell `arg:"" help:"bash, zsh or fish."`
}

// shell is one that completion is written for.
type shell uint8

const (
	bash shell = iota
	zsh
	fish
)

// UnmarshalText reads the shell's name.
func (s *shell) UnmarshalText(text []byte) error {
	for known, name := range []string{"bash", "zsh", "fish"} {
		if string(text) == name {
			*s = shell(known)
			return nil
		}
	}
	return fmt.Errorf("%q, want bash, zsh or fish", text)
}

func (completionCommand) Help() string {
	return `Writes a script that completes commands, flags and files.

    source <(goclip completion bash)                                     # in ~/.bashrc
    source <(goclip completion zsh)                                      # in ~/.zshrc, after compinit
    goclip completion fish > ~/.config/fish/completions/goclip.fish`
}

func (c *completionCommand) Run(s *session, app *kong.Application) error {
	write := map[shell]func(io.Writer, *kong.Application){bash: completeBash, zsh: completeZsh, fish: completeFish}[c.Shell]
	var b strings.Builder
	write(&b, app)
	_, err := io.WriteString(s.out, b.String())
	return err
}

// flagsOf are the flags of a command, and those of all commands; with --no- where there is one.
func flagsOf(app *kong.Application, command *kong.Node) (flags []*kong.Flag) {
	for _, group := range [][]*kong.Flag{command.Flags, app.Flags} {
		for _, f := range group {
			if !f.Hidden && (command != app.Node || len(flags) < len(app.Flags)) {
				flags = append(flags, f)
			}
		}
	}
	return flags
}

// spelt is how a flag may be written.
func spelt(f *kong.Flag) []string {
	if f.Tag != nil && f.Tag.Negatable != "" {
		return []string{"--" + f.Name, "--no-" + f.Name}
	}
	return []string{"--" + f.Name}
}

// plainWords are the words of a help text in which a shell finds nothing to do.
func plainWords(text string) string {
	first, _, _ := strings.Cut(text, ". ")
	return strings.NewReplacer("'", "’", `"`, "”", "[", "(", "]", ")", ":", ",", "$", "", "`", "", `\`, "").Replace(strings.TrimSuffix(first, "."))
}

func completeBash(w io.Writer, app *kong.Application) {
	names, cases := []string{}, strings.Builder{}
	line := func(n *kong.Node) string {
		var all []string
		for _, f := range flagsOf(app, n) {
			all = append(all, spelt(f)...)
		}
		return strings.Join(all, " ")
	}
	for _, n := range app.Children {
		names = append(names, n.Name)
		fmt.Fprintf(&cases, "    %s) words='%s' ;;\n", n.Name, line(n))
	}
	fmt.Fprintf(w, `_goclip() {
  local cur=${COMP_WORDS[COMP_CWORD]} command= words i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
    %s) command=${COMP_WORDS[i]}; break ;;
    esac
  done
  case $command in
    '') words='%s %s' ;;
    help) words='%[2]s'; COMPREPLY=($(compgen -W "$words" -- "$cur")); return ;;
    completion) words='bash zsh fish'; COMPREPLY=($(compgen -W "$words" -- "$cur")); return ;;
%[4]s  esac
  COMPREPLY=()
  if [[ -z $command || $cur == -* ]]; then
    COMPREPLY=($(compgen -W "$words" -- "$cur"))
  fi
}
complete -o bashdefault -o default -F _goclip goclip
`, strings.Join(append(names, "help"), "|"), strings.Join(append(names, "help"), " "), line(app.Node), cases.String())
}

func completeZsh(w io.Writer, app *kong.Application) {
	fmt.Fprint(w, "#compdef goclip\n_goclip() {\n  local -a commands flags\n  commands=(\n")
	for _, n := range app.Children {
		fmt.Fprintf(w, "    '%s:%s'\n", n.Name, plainWords(n.Help))
	}
	fmt.Fprint(w, "    'help:Explain a command'\n  )\n  if ((CURRENT == 2)); then\n    _describe command commands\n    return\n  fi\n  case $words[2] in\n  help) _describe command commands; return ;;\n  completion) _values shell bash zsh fish; return ;;\n")
	for _, n := range app.Children {
		fmt.Fprintf(w, "  %s) flags=(\n", n.Name)
		for _, f := range flagsOf(app, n) {
			for _, name := range spelt(f) {
				value := ":value:_files"
				if f.IsBool() {
					value = ""
				}
				fmt.Fprintf(w, "    '*%s[%s]%s'\n", name, plainWords(f.Help), value)
			}
		}
		fmt.Fprint(w, "  ) ;;\n")
	}
	fmt.Fprint(w, "  esac\n  shift words\n  ((CURRENT--))\n  _arguments $flags '*:file:_files'\n}\ncompdef _goclip goclip\n")
}

func completeFish(w io.Writer, app *kong.Application) {
	for _, n := range app.Children {
		fmt.Fprintf(w, "complete -c goclip -n __fish_use_subcommand -f -a %s -d '%s'\n", n.Name, plainWords(n.Help))
	}
	fmt.Fprint(w, "complete -c goclip -n __fish_use_subcommand -f -a help -d 'Explain a command'\n")
	fmt.Fprint(w, "complete -c goclip -n '__fish_seen_subcommand_from completion' -f -a 'bash zsh fish'\n")
	for _, n := range app.Children {
		for _, f := range flagsOf(app, n) {
			for _, name := range spelt(f) {
				value := " -r"
				if f.IsBool() {
					value = ""
				}
				fmt.Fprintf(w, "complete -c goclip -n '__fish_seen_subcommand_from %s' -l %s%s -d '%s'\n", n.Name, strings.TrimPrefix(name, "--"), value, plainWords(f.Help))
			}
		}
	}
}
