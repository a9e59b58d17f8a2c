package encoder_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/dataset/shapes"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/eval"
	"github.com/goclip/goclip/index"
	"github.com/goclip/goclip/loss"
	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/tokenizer"
	"github.com/goclip/goclip/train"
	"github.com/goclip/goclip/vision"
)

// Conv is a custom family of image towers: convolutions that halve the image
// and double the channels, and the mean of what is left.
type Conv struct{ Side, Width, Stages, EmbedDim int }

func (Conv) Family() string { return "example-conv" }

func (c Conv) Validate() error {
	if c.Width < 1 || c.Stages < 1 || c.Side>>c.Stages < 1 || c.EmbedDim < 1 {
		return errors.New("example-conv: want positive numbers, and a Side of 2 to the Stages or more")
	}
	return nil
}

func (c Conv) Dims() vision.Dims {
	return vision.Dims{ImageSize: [2]int{c.Side, c.Side}, EmbedDim: c.EmbedDim, Tokens: c.Side * c.Side / 4}
}

func (c Conv) New() (vision.Tower, error) {
	t := &convTower{cfg: c}
	in := 3
	for i := range c.Stages {
		out := c.Width << i
		name := fmt.Sprintf("visual.stages.%d.", i)
		t.convs = append(t.convs, nn.NewParam(name+"conv.weight", out, in, 3, 3).Normal(0.3/float64(1+i)))
		t.norms = append(t.norms, nn.NewLayerNorm(name+"norm", out, 1e-5))
		in = out
	}
	t.head = nn.NewLinear("visual.head", in, c.EmbedDim)
	t.head.Weight.Normal(0.1)
	return t, nil
}

type convTower struct {
	cfg   Conv
	convs []*nn.Param // (N, C, 3, 3)
	norms []*nn.LayerNorm
	head  *nn.Linear
}

func (t *convTower) Config() vision.Config { return t.cfg }

func (t *convTower) Params() []*nn.Param {
	params := slices.Concat(t.convs, t.head.Params())
	for _, n := range t.norms {
		params = append(params, n.Params()...)
	}
	return params
}

func (t *convTower) Forward(in vision.Input) (features *G.Node, err error) {
	defer nn.Catch(&err, "example-conv")
	x := nn.ChannelsLast(in.Pixels) // (B, S, S, 3)
	for i, weight := range t.convs {
		x = nn.Conv2D(x, weight.Node(x.Graph()), 2, 1) // (B, S/2, S/2, C)
		x = nn.Activate(nn.GELU, t.norms[i].Forward(x))
	}
	return t.head.Forward(nn.SpatialMean(x)), nil // (B, D)
}

// twice is a custom loss: InfoNCE, and again with a scale half as large, which
// asks more of those that are nearly right.
type twice struct{}

func (twice) Name() string { return "example-twice" }

func (twice) Forward(in loss.Input) (*G.Node, error) {
	first, err := loss.InfoNCE{}.Forward(in)
	if err != nil {
		return nil, err
	}
	if in.Scale, err = G.Mul(in.Scale, G.NewConstant(float32(0.5))); err != nil {
		return nil, err
	}
	second, err := loss.InfoNCE{}.Forward(in)
	if err != nil {
		return nil, err
	}
	return G.Add(first, second)
}

// A custom tower and a custom loss train beside ours, and the tower is saved, loaded,
// measured and indexed as ours are.
func Example_ownTower() {
	ctx := context.Background()
	const steps, size = 400, 32
	drawn := shapes.Set{Seed: 1}
	images, err := drawn.Train(steps * size)
	if err != nil {
		log.Fatal(err)
	}
	captions, err := dataset.Captions(ctx, images, 0)
	if err != nil {
		log.Fatal(err)
	}
	tok, err := tokenizer.TrainBPE(slices.Values(captions), tokenizer.TrainOptions{VocabSize: 400})
	if err != nil {
		log.Fatal(err)
	}
	model, err := encoder.New(encoder.Config{
		Vision: Conv{Side: 32, Width: 16, Stages: 3, EmbedDim: 32},
		Text: text.Transformer{
			ContextLength: 24, VocabSize: tok.VocabSize(), Width: 32, Layers: 1, Heads: 2, EmbedDim: 32,
			Activation: nn.QuickGELU, Mask: text.MaskCausal, Pool: text.PoolArgmax, NormEps: 1e-5,
		},
		Preprocess: vision.CLIPPreprocess(32),
	}, tok, 1)
	if err != nil {
		log.Fatal(err)
	}
	trainer, err := train.New(model, train.Config{LR: train.Cosine(3e-3, 20, steps), WeightDecay: 0.1, ClipNorm: 1, Loss: twice{}})
	if err != nil {
		log.Fatal(err)
	}
	for batch, err := range dataset.Batches(ctx, images, dataset.BatchOptions{Size: size, Epochs: 1, Shuffle: true}) {
		if err != nil {
			log.Fatal(err)
		}
		if _, err = trainer.Step(ctx, batch.Pairs); err != nil {
			log.Fatal(err)
		}
	}

	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "model")
	if err := model.Save(path); err != nil {
		log.Fatal(err)
	}
	// What is saved names the family; whoever loads it says what type that is.
	loaded, err := encoder.Load(path, &encoder.Options{Families: encoder.Families{Vision: []vision.Config{Conv{}}}})
	if err != nil {
		log.Fatal(err)
	}
	defer loaded.Close()

	test, err := drawn.Known(200)
	if err != nil {
		log.Fatal(err)
	}
	classifier, err := loaded.NewClassifier(ctx, drawn.Classes(), drawn.Templates()...)
	if err != nil {
		log.Fatal(err)
	}
	result, err := eval.Classify(ctx, loaded, classifier, test, nil)
	if err != nil {
		log.Fatal(err)
	}
	chance := 1 / float64(len(drawn.Classes()))
	fmt.Println("five times better than chance:", result.Accuracy() > 5*chance)

	photos, _, err := index.Build(ctx, loaded, test)
	if err != nil {
		log.Fatal(err)
	}
	query, err := loaded.EncodeTexts(ctx, "a yellow star")
	if err != nil {
		log.Fatal(err)
	}
	hits, err := photos.Search(query.Data, 3, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("found:", len(hits))
	// Output:
	// five times better than chance: true
	// found: 3
}
