// Conform compares this module with reference implementations: it runs every
// case of folders of reference data and says how far apart the two are.
//
//	go run ./tools/conform [flags] DIR…
//
// What a DIR holds is told by its content, and nothing in it is known to the
// program but how it is laid out:
//
//	checkpoints/, activations/, stages/, naflex/   models, what they compute, and values inside their towers
//	  … with "weights": "formula" in the index     the same, of weights that are made here (see internal/formula)
//	gradients/                                     losses, a training step, and a few of AdamW
//	tokenizer/                                     captions and their ids by CLIP's tokenizer
//	preprocess/                                    pictures, and what open_clip's or transformers' preprocessing makes of them
//	scaling/                                       results of published models and the laws that were fitted to them
//	NAME/cases.jsonl …, components/                tokenizers of every kind, and their parts
//	index.json with cases, files/                  picture files and their pixels
//
// Each case belongs to a group: a family of models, a tokenizer, a kind of
// pictures. Failures are lines, and at the end stands a table of the groups with
// their worst difference, in tolerances. The exit status is 1 if a case failed, if
// something is missing, unreadable, not understood or compared with nothing, and if
// there was no case. What goclip does not do is a failure too; -to-come names the
// groups of which that is known.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"slices"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// options say what is compared, and with what.
type options struct {
	sets         []string // the folders of reference data
	vocab        string   // CLIP's gzipped vocabulary, if not the set's own
	vocabularies string   // tokenizers whose files are in no set, in folders of their names
	full         bool     // models of full size too
	leftOut      int      // models of full size that are not run
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("conform", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprintln(stderr, "usage: conform [flags] DIR…")
		flags.PrintDefaults()
	}
	o := &options{}
	flags.StringVar(&o.vocab, "vocab", "", "CLIP's gzipped vocabulary `file`; by default DIR/tokenizer/"+vocabName)
	flags.StringVar(&o.vocabularies, "vocabularies", "", "`folder` with NAME/tokenizer.json of tokenizers that a set does not hold")
	flags.BoolVar(&o.full, "full", false, "models of full size too, which take gigabytes and minutes")
	list := flags.String("to-come", "", "`names` of groups, or GROUP/PART of a case's name, that may fail but not pass; @FILE reads them")
	asJSON := flags.Bool("json", false, "print the results as JSON")
	verbose := flags.Bool("v", false, "show every case and comparison")
	pattern := flags.String("run", "", "run the cases whose GROUP/NAME matches this `regexp`")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	selected, err := regexp.Compile(*pattern)
	if err != nil || flags.NArg() == 0 {
		if err != nil {
			fmt.Fprintln(stderr, "conform:", err)
		}
		flags.Usage()
		return 2
	}
	o.sets = flags.Args()
	soon, err := parseToCome(*list)
	if err == nil && o.vocab != "" {
		_, err = os.Stat(o.vocab)
	}
	var cases []testCase
	if err == nil {
		cases, err = o.discover()
	}
	if err == nil {
		cases = slices.DeleteFunc(cases, func(c testCase) bool { return !selected.MatchString(c.group + "/" + c.name) })
		if len(cases) == 0 {
			err = fmt.Errorf("no case found in %v", o.sets)
		}
	}
	u := &runner{out: stdout, verbose: *verbose, toCome: soon, sets: o.sets}
	if *asJSON {
		u.out = io.Discard
	}
	u.run(ctx, cases)
	t := u.totals()
	var wrong []string
	switch {
	case err != nil:
		wrong = append(wrong, err.Error())
	case ctx.Err() != nil:
		wrong = append(wrong, fmt.Sprintf("interrupted, %d cases not run", len(cases)-t.Cases))
	case *pattern == "":
		wrong = soon.stale()
	}
	for _, line := range wrong {
		fmt.Fprintln(stderr, "conform:", line)
	}
	if *asJSON {
		u.out = stdout
		if err := u.json(wrong); err != nil {
			fmt.Fprintln(stderr, "conform:", err)
			return 1
		}
	} else {
		u.table()
		if o.leftOut > 0 {
			fmt.Fprintf(stdout, "%d models of full size left out: -full runs them\n", o.leftOut)
		}
		fmt.Fprintf(stdout, "%d passed, %d failed, %d to come\n", t.Passed, t.Failed, t.ToCome)
	}
	if len(wrong) > 0 || t.Failed > 0 {
		return 1
	}
	return 0
}
