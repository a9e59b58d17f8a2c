package main

import (
	"context"
	"errors"
	"image"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/eval"
	"github.com/goclip/goclip/loss"
	"github.com/goclip/goclip/train"
)

// measure returns the contrastive loss on held-out pairs, and the share of held-out
// images that the model names wrongly.
func measure(ctx context.Context, m *encoder.Model, s *sets) (cost, wrong float64, err error) {
	classifier, err := m.NewClassifier(ctx, s.classes, s.templates...)
	if err != nil {
		return 0, 0, err
	}
	named, err := eval.Classify(ctx, m, classifier, s.test, nil)
	if err != nil {
		return 0, 0, err
	}
	objective, err := newObjective(m)
	if err != nil {
		return 0, 0, err
	}
	defer objective.Close()
	batches := 0
	for batch, err := range dataset.Batches(ctx, s.held, dataset.BatchOptions{Size: batchSize, Epochs: 1, Shuffle: true}) {
		if err != nil {
			return 0, 0, err
		}
		one, err := objective.loss(ctx, m, batch.Pairs, s.groups)
		if err != nil {
			return 0, 0, err
		}
		cost, batches = cost+one, batches+1
	}
	return cost / float64(batches), 1 - named.Accuracy(), nil
}

// objective is the loss of a batch of embeddings, as a graph.
type objective struct {
	G.VM
	images, texts, groups, cost *G.Node
}

func newObjective(m *encoder.Model) (*objective, error) {
	g := G.NewGraph()
	shape := G.WithShape(batchSize, m.Config().Vision.Dims().EmbedDim)
	o := &objective{
		images: G.NewMatrix(g, tensor.Float32, shape, G.WithName("images")),
		texts:  G.NewMatrix(g, tensor.Float32, shape, G.WithName("texts")),
		groups: G.NewVector(g, tensor.Int32, G.WithShape(batchSize), G.WithName("groups")),
	}
	scale, err := loss.Scale(m.LogitScale().Node(g))
	if err != nil {
		return nil, err
	}
	in := loss.Input{Image: o.images, Text: o.texts, Scale: scale, Targets: loss.Targets{Groups: o.groups}}
	if o.cost, err = (loss.InfoNCE{}).Forward(in); err != nil {
		return nil, err
	}
	o.VM = G.NewTapeMachine(g)
	return o, nil
}

// loss is that of pairs of which those of one caption, or label, are right answers for
// each other, as in training.
func (o *objective) loss(ctx context.Context, m *encoder.Model, pairs []dataset.Pair, by train.Groups) (float64, error) {
	var imgs []image.Image
	var captions []string
	groups, number := make([]int32, len(pairs)), map[string]int32{}
	for i, p := range pairs {
		imgs, captions = append(imgs, p.Image), append(captions, p.Caption)
		key := p.Caption
		if by == train.GroupByLabel {
			key = p.Label
		}
		if _, known := number[key]; !known {
			number[key] = int32(i)
		}
		groups[i] = number[key]
	}
	images, err := m.EncodeImages(ctx, imgs...)
	if err != nil {
		return 0, err
	}
	texts, err := m.EncodeTexts(ctx, captions...)
	if err != nil {
		return 0, err
	}
	defer o.Reset()
	err = errors.Join(
		G.Let(o.images, tensor.New(tensor.WithShape(images.N, images.Dim), tensor.WithBacking(images.Data))),
		G.Let(o.texts, tensor.New(tensor.WithShape(texts.N, texts.Dim), tensor.WithBacking(texts.Data))),
		G.Let(o.groups, tensor.New(tensor.WithShape(len(groups)), tensor.WithBacking(groups))),
	)
	if err != nil {
		return 0, err
	}
	if err := o.RunAll(); err != nil {
		return 0, err
	}
	return float64(o.cost.Value().Data().(float32)), nil
}
