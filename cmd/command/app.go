// Package command is the program goclip, for programs that are goclip and more: cmd/goclip is
// it alone, contrib/mpi/cmd/goclip trains on several machines.
package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"reflect"
	"runtime/debug"
	"slices"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/goclip/goclip/train"
)

// app is the command line.
type app struct {
	Config configFile `placeholder:"FILE" help:"Read flags of the command from a YAML or JSON file. Its fields have the names of the flags; flags on the command line take precedence."`
	JSON   bool       `name:"json" help:"Write the result to standard output as one JSON document. So are errors: {\"error\": …, \"exit_code\": …}."`
	Quiet  bool       `short:"q" help:"No progress on standard error."`

	Version kong.VersionFlag `help:"Print the version and exit."`

	Train      trainCommand      `cmd:"" help:"Train a model on images with captions or labels, or fine-tune one."`
	Eval       evalCommand       `cmd:"" help:"Measure a model on a test set; write a report with plots."`
	Classify   classifyCommand   `cmd:"" help:"Classify images zero-shot, with labels of your choice."`
	Index      indexCommand      `cmd:"" help:"Embed a set of images for search."`
	Embed      embedCommand      `cmd:"" help:"Write the embeddings of sets in files that other programs read."`
	Search     searchCommand     `cmd:"" help:"Find images by text or by an example image."`
	Forget     forgetCommand     `cmd:"" help:"Take images out of an index."`
	Merge      mergeCommand      `cmd:"" help:"Make one index of several."`
	Duplicates duplicatesCommand `cmd:"" help:"Find photographs that are alike: the same file, re-encoded, or of one burst."`
	Clusters   clustersCommand   `cmd:"" help:"Group the images of an index, and name the groups."`
	Info       infoCommand       `cmd:"" help:"Describe a model, an index or a set of images."`
	Convert    convertCommand    `cmd:"" help:"Write a model in another layout, or with weights of half the size."`
	Pull       pullCommand       `cmd:"" help:"Download models by name."`
	List       listCommand       `cmd:"" help:"List the models that were downloaded, by goclip or by Python."`
	Serve      serveCommand      `cmd:"" help:"Answer other programs over HTTP: Immich, Weaviate, clients of OpenAI and others."`
	Completion completionCommand `cmd:"" help:"Write a script by which bash, zsh or fish completes commands and flags."`
}

const about = `goclip trains, measures and uses CLIP models, which embed images and text in one space.

A model is a folder from Hugging Face, open_clip or OpenAI, or one that "goclip train" wrote; or the name of one, as openai/clip-vit-base-patch32 or ViT-B-32/laion2b_s34b_b79k (see "goclip pull --help"). ` +
	`A set of images is a table (.csv, .tsv, .jsonl), class folders, an imagefolder, a tar, or WebDataset shards as train-{000..012}.tar.

Start with "goclip train --data SET --out model", or "goclip info SET" to see what is in a set. "goclip help COMMAND" explains a command, with examples.

Progress is for terminals. NO_COLOR, or TERM=dumb, keeps it free of control sequences; there are no colours.

Exit codes: 0 done; 1 the work failed; 2 wrong flags, arguments or configuration; ` +
	`3 a model, set, index or image cannot be used; 130 interrupted (the same command resumes a run).`

// Exit codes.
const (
	failed      = 1
	misuse      = 2
	badInput    = 3
	interrupted = 130
)

// coded is an error with its exit code.
type coded struct {
	error
	code int
}

func (c coded) Unwrap() error { return c.error }

// input marks an error of something that was to be read.
func input(err error) error {
	if err == nil {
		return nil
	}
	return coded{err, badInput}
}

// wrong is an error of use.
func wrong(format string, args ...any) error { return coded{fmt.Errorf(format, args...), misuse} }

// session is what commands work with.
type session struct {
	context.Context
	in       io.Reader
	out      io.Writer
	progress io.Writer
	errors   io.Writer // for what --quiet does not silence
	terminal bool      // progress is one, and takes control sequences
	counting bool      // how much is done is told
	json     bool
	lost     []error // what was left out
	options  Options
	silent   bool // another rank says what there is to say
}

// Options are what a program that is goclip and more adds to it.
type Options struct {
	// Ranks, where not nil, are asked for by goclip train: the processes that train together,
	// and what to do at the end. Nil ranks are this process alone.
	Ranks func() (ranks train.Ranks, leave func() error, err error)
}

// exit ends parsing, after --help.
type exit int

// Main is the whole program; it does not return.
func Main(o Options) {
	if os.Getenv("GOGC") == "" {
		// Most of a training's heap is a few large buffers without pointers, which are
		// no work for the collector; as much garbage again would be gigabytes.
		debug.SetGCPercent(20)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr, o))
}

// run is Main up to the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer, o Options) (code int) {
	defer func() {
		if v := recover(); v != nil {
			e, ok := v.(exit)
			if !ok {
				panic(v)
			}
			code = int(e)
		}
	}()
	var cli app
	parser, err := kong.New(&cli, kong.Name("goclip"), kong.Description(about), kong.Writers(stdout, stderr), kong.Vars{"version": version()},
		kong.KindMapper(reflect.String, kong.MapperFunc(asGiven)),
		kong.Exit(func(code int) { panic(exit(code)) }),
		kong.ConfigureHelp(kong.HelpOptions{NoExpandSubcommands: true, FlagsLast: true, WrapUpperBound: 100}))
	if err != nil {
		panic(err) // a tag of app is wrong
	}
	args = asked(args)
	s := &session{Context: ctx, in: os.Stdin, out: stdout, progress: stderr, errors: stderr, terminal: isTerminal(stderr) && !plainTerminal(), counting: isTerminal(stderr), options: o}
	command, err := parser.Parse(args)
	if err != nil {
		s.json = asksForJSON(args)
		return s.fail(stderr, coded{fmt.Errorf("%w; see goclip --help", err), misuse})
	}
	s.json = cli.JSON
	if cli.Quiet {
		s.progress, s.terminal, s.counting = io.Discard, false, false
	}
	return s.fail(stderr, command.Run(s, command.Model))
}

// asGiven takes a string as it is. The parser's own way is by JSON, which has no room for
// names of files in other encodings than UTF-8.
func asGiven(ctx *kong.DecodeContext, target reflect.Value) error {
	t, err := ctx.Scan.PopValue("string")
	if err != nil {
		return err
	}
	text, ok := t.Value.(string)
	if !ok { // of a configuration file
		return fmt.Errorf("expected string but got %v (%T)", t.Value, t.Value)
	}
	target.SetString(text)
	return nil
}

// asked makes of "help COMMAND" what the parser knows.
func asked(args []string) []string {
	if len(args) == 0 {
		return []string{"--help"}
	}
	if args[0] == "help" {
		return append(slices.Clone(args[1:]), "--help")
	}
	return args
}

// plainTerminal tells whether a terminal is to be spared control sequences
// (https://no-color.org).
func plainTerminal() bool { return os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" }

// asksForJSON of arguments that could not be parsed.
func asksForJSON(args []string) bool {
	return slices.Contains(args, "--json")
}

// fail reports an error and returns the exit code.
func (s *session) fail(stderr io.Writer, err error) int {
	if err == nil {
		return 0
	}
	code, err := s.meaning(err)
	if s.silent {
		return code
	}
	rest := ""
	if s.terminal {
		rest = "\x1b[K" // of a line of progress
	}
	fmt.Fprintf(stderr, "goclip: %s%s\n", escaped([]byte(err.Error())), rest)
	if s.json {
		document(s.out, struct {
			Error string `json:"error"`
			Code  int    `json:"exit_code"`
		}{err.Error(), code})
	}
	return code
}

// meaning is the exit code of an error, and what it says to a user.
func (s *session) meaning(err error) (int, error) {
	var c coded
	switch cause := s.Err(); {
	case errors.As(err, &c) && c.code == interrupted:
		return interrupted, err
	case cause != nil && errors.Is(err, cause) && besides(err, cause) == nil:
		return interrupted, errors.New("interrupted")
	case c.error != nil:
		return c.code, err
	}
	return failed, err
}

// besides returns what an error holds that is not due to another one; nil for nothing.
func besides(err, cause error) error {
	switch joined := err.(type) {
	case interface{ Unwrap() []error }:
		var rest []error
		for _, e := range joined.Unwrap() {
			rest = append(rest, besides(e, cause))
		}
		return errors.Join(rest...)
	case interface{ Unwrap() error }:
		if e := joined.Unwrap(); e != nil {
			if besides(e, cause) == nil {
				return nil
			}
			return err
		}
	}
	if errors.Is(err, cause) {
		return nil
	}
	return err
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
