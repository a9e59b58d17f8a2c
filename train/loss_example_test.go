package train_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"slices"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/loss"
	"github.com/goclip/goclip/train"
)

// hinge is a custom loss, built from gorgonia's ops: every caption should be nearer to
// its image than each other one by a margin (as in VSE, Kiros et al., 2014).
type hinge struct{ margin float32 }

func (h hinge) Name() string { return fmt.Sprintf("hinge of margin %g", h.margin) }

func (h hinge) Forward(in loss.Input) (*G.Node, error) {
	texts, err := G.Transpose(in.Text) // (D, B)
	if err != nil {
		return nil, err
	}
	cosines, err := G.Mul(in.Image, texts) // (B, B)
	if err != nil {
		return nil, err
	}
	own, err := G.HadamardProd(in.Image, in.Text) // (B, D)
	if err != nil {
		return nil, err
	}
	if own, err = G.Sum(own, 1); err != nil { // (B)
		return nil, err
	}
	nearer, err := G.BroadcastSub(cosines, own, nil, []byte{1}) // (B, B)
	if err != nil {
		return nil, err
	}
	missing, err := G.Add(nearer, G.NewConstant(h.margin))
	if err != nil {
		return nil, err
	}
	if missing, err = G.Rectify(missing); err != nil {
		return nil, err
	}
	return G.Mean(missing)
}

// Training with a custom loss.
func Example_ownLoss() {
	dir := pretrained()
	defer os.RemoveAll(dir)
	model, err := encoder.Load(dir, &encoder.Options{Trainable: true})
	if err != nil {
		log.Fatal(err)
	}
	trainer, err := train.New(model, train.Config{LR: train.Linear(1e-3, 5, 40), Loss: hinge{0.2}})
	if err != nil {
		log.Fatal(err)
	}
	images := someShapes()
	var first, last train.Stats
	for step := range 40 {
		if last, err = trainer.Step(context.Background(), images); err != nil {
			log.Fatal(err)
		}
		if step == 0 {
			first = last
		}
	}
	fmt.Println("learnt something:", last.Loss < 0.9*first.Loss)
	// Output: learnt something: true
}

// Training with a custom loss in bounded memory: [loss.ByRows] shows it the similarities of one
// image with all texts, and takes what it changes with each of them.
func Example_ownLossInBlocks() {
	const margin = 0.2
	hinge := loss.ByRows(fmt.Sprintf("hinge of margin %g, by rows", margin), func(r *loss.Row) (missing float64) {
		each := 1 / float64(len(r.Similarities)*len(r.Similarities)) // the mean of all combinations
		own := r.Right[0]
		for j, s := range r.Similarities {
			if m := margin + s - r.Similarities[own]; m > 0 && !slices.Contains(r.Right, int32(j)) {
				missing += each * float64(m)
				r.Gradient[j] += float32(each)
				r.Gradient[own] -= float32(each)
			}
		}
		return missing
	})

	dir := pretrained()
	defer os.RemoveAll(dir)
	model, err := encoder.Load(dir, &encoder.Options{Trainable: true})
	if err != nil {
		log.Fatal(err)
	}
	trainer, err := train.New(model, train.Config{LR: train.Linear(1e-3, 5, 40), Loss: hinge})
	if err != nil {
		log.Fatal(err)
	}
	images := someShapes()
	var first, last train.Stats
	for step := range 40 {
		if last, err = trainer.Step(context.Background(), images); err != nil {
			log.Fatal(err)
		}
		if step == 0 {
			first = last
		}
	}
	fmt.Println("learnt something:", last.Loss < 0.9*first.Loss)
	// Output: learnt something: true
}
