// Train fits a toy CLIP to images with captions, tells how well it names
// images that it never saw, and draws a sheet to look at.
//
//	go run ./examples/train                                  # images that the library draws
//	go run ./examples/train -relations 0.5 -steps 8000       # half of them of two figures, "a red ring above a blue star"
//	go run ./examples/train -fine -relations 0.5 -steps 1500  # a finer one, for examples/explain
//	go run ./examples/train -data train.tar -test test.tar   # yours: class folders, a CSV, a tar of either
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/examples/internal/toy"
	"github.com/goclip/goclip/train"
	"github.com/goclip/goclip/train/observe"
)

func main() {
	log.SetFlags(0)
	data := flag.String("data", "", "training set; the drawn set where empty")
	test := flag.String("test", "", "test set that goes with -data")
	steps := flag.Int("steps", 0, "training steps of 128 pairs; 0 means as many as the set needs")
	relations := flag.Float64("relations", 0, "part of the drawn images that show two figures, 0 to 1")
	fine := flag.Bool("fine", false, "smaller patches and a class token, for maps of examples/explain; slower")
	seed := flag.Uint64("seed", 1, "of the weights, the order and the drawn images")
	out := flag.String("out", "goclip-toy", "folder of the trained model, and name of the sheet")
	checkpoints := flag.String("checkpoints", "", "folder of the checkpoints that are written, and gone on from; none where empty")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	if err := run(ctx, *data, *test, *steps, *relations, *fine, *seed, *out, *checkpoints); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, data, test string, steps int, relations float64, fine bool, seed uint64, out, checkpoints string) error {
	sets, err := open(data, test, steps, relations, seed)
	if err != nil {
		return err
	}
	defer sets.Close()
	tok, err := toy.Tokenizer(ctx, sets.train)
	if err != nil {
		return err
	}
	steps = sets.steps
	build, shuffle := toy.New, true
	if sets.couples != nil {
		build, shuffle = toy.NewForCouples, false // couples come in fours that a batch should hold together
	}
	if fine {
		build = toy.NewFine
	}
	model, err := build(tok, sets.context, seed)
	if err != nil {
		return err
	}
	trainer, err := train.New(model, train.Config{
		LR:             sets.schedule(sets.lr, steps/20, steps),
		Optimizer:      sets.optimizer,
		MuonRate:       sets.muonRate,
		WeightDecay:    0.1,
		ClipNorm:       1,
		Groups:         sets.groups,
		LabelSmoothing: sets.smoothing,
	})
	if err != nil {
		return err
	}
	ledger := &dataset.Ledger{}
	err = trainer.Fit(ctx, sets.train, train.Run{
		Steps:       steps,
		Batches:     dataset.BatchOptions{Size: batchSize, Shuffle: shuffle, Seed: seed, Ledger: ledger, Augment: sets.augment},
		Checkpoints: train.Checkpoints{Dir: checkpoints, Every: 200},
		Observers:   []train.Observer{observe.NewProgress(os.Stderr, steps, terminal())},
	})
	if errors.Is(err, context.Canceled) {
		fmt.Fprintf(os.Stderr, "\ninterrupted after %d steps\n", trainer.Steps())
	} else if err != nil {
		return err
	}
	// The folder may hold what this program saved before.
	if err := model.SaveWith(out, "", encoder.SaveOptions{Overwrite: true}); err != nil {
		return err
	}
	fmt.Printf("model: %s\n", out)
	return report(context.WithoutCancel(ctx), model, sets, ledger, out+".png")
}
