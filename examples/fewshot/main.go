// Fewshot teaches a model classes from 1, 2, 4, 8 and 16 images each and
// compares four ways to do it with zero-shot classification, in a table and a
// plot.
//
//	go run ./examples/fewshot                                  # images that the library draws
//	go run ./examples/fewshot -data train.tar -test test.tar   # yours, in class folders or with labels
//	go run ./examples/fewshot -data … -test … -model DIR       # with a checkpoint instead of a toy
//
// A model that was trained on the captions of a class has little to learn from 16
// of its images. So the toy is trained here, without some of the classes: it
// reads none of their names and sees none of their images. Two questions are
// asked then: which of the new classes is this, and which of all classes? The
// examples of all classes, and the images on which a method chooses its
// settings, come from a part of the training set that the model has not seen; the
// test set is for testing only.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"slices"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/fewshot"
)

func main() {
	log.SetFlags(0)
	var o options
	flag.StringVar(&o.data, "data", "", "labelled training set; the drawn set where empty")
	flag.StringVar(&o.test, "test", "", "test set that goes with -data")
	flag.StringVar(&o.held, "held", "", "classes of -data to keep from the model, a,b,c or none; every second where empty")
	flag.StringVar(&o.model, "model", "", "checkpoint to use instead of a toy; all its classes count as known")
	flag.IntVar(&o.steps, "steps", 1500, "training steps of 128 pairs")
	flag.Uint64Var(&o.seed, "seed", 1, "of the training")
	flag.IntVar(&o.draws, "draws", 5, "draws of the examples, over which the intervals are")
	flag.StringVar(&o.out, "out", "goclip-fewshot.png", "plot to draw")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	if err := run(ctx, o); err != nil {
		log.Fatal(err)
	}
}

type options struct {
	data, test, held, model, out string
	steps, draws                 int
	seed                         uint64
}

func run(ctx context.Context, o options) error {
	if o.draws < 2 {
		return fmt.Errorf("-draws %d, want 2 or more: an interval needs two", o.draws)
	}
	s, err := open(o)
	if err != nil {
		return err
	}
	defer s.Close()
	model, err := s.model(ctx, o)
	if err != nil {
		return err
	}
	defer model.Close()
	study, err := prepare(ctx, model, s)
	if err != nil {
		return err
	}
	study.Seeds = o.draws
	var panels []panel
	if len(s.held) > 1 {
		novel := study
		keep := func(c int) bool { return slices.Contains(s.held, s.classes[c]) }
		novel.Text, novel.Pool, novel.Test = restrict(study, keep)
		panels = append(panels, panel{study: novel, title: fmt.Sprintf("which of the %d new classes?", len(s.held))})
	}
	title := fmt.Sprintf("which of all %d classes?", len(s.classes))
	if len(s.held) > 0 {
		title = fmt.Sprintf("which of all %d classes, %d of them new?", len(s.classes), len(s.held))
	}
	panels = append(panels, panel{study: study, title: title})
	for i := range panels {
		if err := panels[i].measure(ctx); err != nil {
			return err
		}
		panels[i].print(os.Stdout)
	}
	if err := plotTo(o.out, panels); err != nil {
		return err
	}
	fmt.Printf("plot: %s\n", o.out)
	return nil
}

// prepare embeds what the examples are drawn from and what is tested on.
func prepare(ctx context.Context, model *encoder.Model, s *sets) (fewshot.Study, error) {
	c, err := model.NewClassifier(ctx, s.classes, s.templates...)
	if err != nil {
		return fewshot.Study{}, err
	}
	pool, err1 := embed(ctx, model, s.pool, s.classes)
	test, err2 := embed(ctx, model, s.test, s.classes)
	return fewshot.Study{Text: c.Embeddings(), Scale: c.Scale(), Pool: pool, Test: test}, errors.Join(err1, err2)
}
