package train

import (
	"fmt"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/internal/guard"
	"github.com/goclip/goclip/loss"
	"github.com/goclip/goclip/nn"
)

// Text is one of the texts that a step reads of a pair: see [Config].Texts.
type Text struct {
	Caption string
	// Share is how likely it is to be right for the pair's image, from 0 to 1. With 0 it is a
	// hard negative, wrong for all images of the batch; of several that are right, each has its
	// part of the sum. See [loss.Targets].
	Share float64
}

// Captions is a [Config].Texts of the n first captions of an image, from the drawn one on, all
// right alike. Where an image has fewer, they come again.
func Captions(n int) func(dataset.Pair) ([]Text, error) {
	return func(p dataset.Pair) (texts []Text, err error) {
		if n < 1 {
			return nil, fmt.Errorf("%d captions of an image, want 1 or more", n)
		}
		all := p.Captions
		if len(all) == 0 {
			all = []string{p.Caption}
		}
		for i := range n {
			texts = append(texts, Text{all[i%len(all)], 1})
		}
		return texts, nil
	}
}

// Negatives is a [Config].Texts of n captions, as [Captions] has them, and behind each of so
// many texts that are wrong for its image: those of wrong by the caption, which come again where
// they are fewer. A caption without any is an error.
func Negatives(n, each int, wrong map[string][]string) func(dataset.Pair) ([]Text, error) {
	return func(p dataset.Pair) (texts []Text, err error) {
		captions, err := Captions(n)(p)
		if err != nil {
			return nil, err
		}
		for _, c := range captions {
			all := wrong[c.Caption]
			if len(all) == 0 || each < 1 {
				return nil, fmt.Errorf("there are %d wrong texts beside %q, want %d", len(all), c.Caption, max(1, each))
			}
			texts = append(texts, c)
			for i := range each {
				texts = append(texts, Text{Caption: all[i%len(all)]})
			}
		}
		return texts, nil
	}
}

func (b *Batch) texts() int { return max(1, b.Texts) }

// each is how many texts a pair has, in words, where they are several.
func (b *Batch) each() string {
	if b.texts() == 1 {
		return ""
	}
	return fmt.Sprintf(" of %d texts each", b.Texts)
}

// say lists the texts of all pairs, and keeps their shares.
func (b *Batch) say(pairs []dataset.Pair, of func(dataset.Pair) ([]Text, error)) (captions []string, err error) {
	for i, p := range pairs {
		texts := []Text{{p.Caption, 1}}
		if of != nil {
			err = guard.Call(func() (err error) {
				texts, err = of(p)
				return err
			})
		}
		if i == 0 {
			b.Texts = len(texts)
		}
		right := 0.0
		for _, t := range texts {
			if !(t.Share >= 0 && t.Share <= 1) {
				err = fmt.Errorf("the share of %q is %g, want 0 to 1", t.Caption, t.Share)
			}
			right += t.Share
			captions = append(captions, t.Caption)
			b.Shares = append(b.Shares, float32(t.Share))
		}
		switch {
		case err != nil:
		case len(texts) == 0 || len(texts) != b.Texts:
			err = fmt.Errorf("%d texts, want %d as for %s: as many for each pair, one at least", len(texts), max(1, b.Texts), pairs[0].Key)
		case right == 0:
			err = fmt.Errorf("none of its %d texts is right", len(texts))
		}
		if err != nil {
			return nil, fmt.Errorf("train: %s: %w", p.Key, err)
		}
	}
	if of == nil {
		b.Texts, b.Shares = 0, nil
	}
	return captions, nil
}

// rows are how many a tower has for each pair.
func (p *pass) rows(tower part) int {
	if tower == text {
		return p.texts
	}
	return 1
}

// sayWhose adds to the targets, where pairs have several texts, whose they are and what their
// shares are.
func (p *pass) sayWhose(t *loss.Targets) {
	if p.texts == 1 {
		return
	}
	n := p.batch * p.texts
	images, shares := make([]int32, n), make([]float32, n)
	p.feed(func(b *Batch, _, _ int) error {
		for j := range images {
			images[j], shares[j] = int32(j/p.texts), 1
			if b.Shares != nil {
				shares[j] = b.Shares[j]
			}
			if shares[j] == 0 {
				images[j] = -1
			}
		}
		return nil
	})
	t.Images, t.Shares = nn.Leaf(p.graph, "images of texts", images, n), nn.Leaf(p.graph, "shares", shares, n)
}
