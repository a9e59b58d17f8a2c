// Scaling trains a grid of small models, fits scaling laws to what came of them,
// predicts a larger run and then trains that run.
//
//	go run ./examples/scaling                                            # images that the library draws
//	go run ./examples/scaling -data train.tar -test test.tar             # yours, with labels
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"

	"github.com/goclip/goclip/scaling"
)

type options struct {
	data, test, out string
	quick           bool
	seed            uint64
	parallel        int
}

func main() {
	log.SetFlags(0)
	var o options
	flag.StringVar(&o.data, "data", "", "training set with labels; the drawn set where empty")
	flag.StringVar(&o.test, "test", "", "held-out set that goes with -data")
	flag.StringVar(&o.out, "out", "goclip-scaling", "folder of the records, plots and page; a second call goes on from it")
	flag.BoolVar(&o.quick, "quick", false, "a sketch, in about a minute")
	flag.Uint64Var(&o.seed, "seed", 1, "of the weights, the order and the images")
	flag.IntVar(&o.parallel, "parallel", runtime.GOMAXPROCS(0), "runs at once; changes no result")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	if err := run(ctx, o); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, o options) error {
	s, err := open(o)
	if err != nil {
		return err
	}
	defer s.Close()
	tok, err := s.tokenizer(ctx)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(o.out, 0o777); err != nil {
		return err
	}
	records, err := scaling.OpenLog(filepath.Join(o.out, "runs.jsonl"))
	if err != nil {
		return err
	}
	defer records.Close()
	st := &study{sets: s, tok: tok, seed: o.seed, out: o.out, records: records, parallel: o.parallel, progress: newProgress(os.Stderr)}
	p := full
	if o.quick {
		p = quick
	}
	err = st.all(ctx, p)
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("interrupted; the same command goes on from here (%s)", o.out)
	}
	return err
}

// all trains a plan's runs, fits the laws, tests their prediction and writes the page.
func (s *study) all(ctx context.Context, p plan) error {
	grid, err := s.trainAll(ctx, p.runs, "grid")
	if err != nil {
		return err
	}
	repeated, err := s.trainAll(ctx, p.repeated, "repeated images")
	if err != nil {
		return err
	}
	f, err := analyse(grid, repeated, p, s.sets.test.Len(), s.seed)
	if err != nil {
		return err
	}
	t, err := f.propose(s, p)
	if err != nil {
		return err
	}
	report := &report{findings: f, trial: t, repeated: repeated, sets: s.sets, cores: s.parallel}
	report.print(os.Stdout)
	tested, err := s.trainAll(ctx, func(*study) ([]scaling.Run, error) { return []scaling.Run{t.Run}, nil }, "the predicted run")
	if err != nil {
		return err
	}
	t.Record = tested[0]
	report.printOutcome(os.Stdout)
	if err := plots(s.out, f, repeated, t); err != nil {
		return err
	}
	path := filepath.Join(s.out, "index.html")
	if err := report.write(path); err != nil {
		return err
	}
	fmt.Printf("page: %s\n", path)
	return nil
}

func open(o options) (*sets, error) {
	switch {
	case o.parallel < 1:
		return nil, fmt.Errorf("-parallel %d, want 1 or more", o.parallel)
	case o.data == "" && o.test == "":
		return drawn(o.seed)
	case o.data == "" || o.test == "":
		return nil, errors.New("-data and -test belong together")
	}
	return files(o.data, o.test, o.seed)
}
