package main

import (
	"fmt"
	"io"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/index"
	"github.com/goclip/goclip/vision"
)

type searchCommand struct {
	modelFlags
	imageFlags
	draftFlag
	Index   string   `required:"" placeholder:"FILE" help:"Index that goclip index wrote with the same model."`
	K       int      `short:"k" default:"10" help:"Results for each query."`
	Image   []string `placeholder:"FILE" help:"Image to search for; may be given several times."`
	Queries []string `arg:"" optional:"" help:"Text queries; quote each one."`
}

func (searchCommand) Help() string {
	return `The score is the cosine of the query and the image: scores of one query can be compared with each other, those of different queries hardly.

    goclip search --model model --index photos.index "a dog on a beach" "a red bicycle"
    goclip search --model model --index photos.index --image like-this.jpg -k 5 --json`
}

// as prepares images as those of an index were.
func (f *modelFlags) as(path string) error {
	photos, err := index.Open(path, nil)
	if err != nil {
		return input(err)
	}
	upright := photos.Upright()
	f.upright, f.draft = &upright, photos.Draft()
	return input(photos.Close())
}

type hit struct {
	Key     string  `json:"key"`
	Caption string  `json:"caption,omitempty"`
	Score   float64 `json:"score"`
}

type found struct {
	Query string `json:"query"`
	Hits  []hit  `json:"hits"`
}

func (c *searchCommand) Run(s *session) (err error) {
	if len(c.Queries)+len(c.Image) == 0 {
		return wrong("nothing to look for: give a query in words or --image")
	}
	if c.K < 1 {
		return wrong("-k %d, want 1 or more", c.K)
	}
	if err := c.as(c.Index); err != nil {
		return err
	}
	c.draft = c.draft || c.Draft
	m, err := c.load(s, need{images: len(c.Image) > 0, words: len(c.Queries) > 0})
	if err != nil {
		return err
	}
	defer closing(&err, m.Close)
	photos, err := index.Open(c.Index, m)
	if err != nil {
		return input(err)
	}
	defer closing(&err, photos.Close)
	var all []found
	look := func(query string, e *encoder.Embeddings) error {
		hits, err := photos.Search(e.Data, c.K, nil)
		f := found{Query: query, Hits: []hit{}}
		for _, h := range hits {
			f.Hits = append(f.Hits, hit{h.Key, h.Meta, h.Score})
		}
		all = append(all, f)
		return err
	}
	for _, q := range c.Queries {
		e, err := m.EncodeTexts(s, q)
		if err != nil {
			return err
		}
		if e.Truncated > 0 {
			s.cut("queries", []string{q}, len(c.Queries))
		}
		if err := look(q, e); err != nil {
			return err
		}
	}
	reading := c.decode(s)
	reading.Draft = m.Config().Preprocess.DraftSide()
	for _, file := range c.Image {
		img, err := vision.DecodeFile(file, reading)
		if err != nil {
			return input(hinted(err))
		}
		e, err := m.EncodeImages(s, img)
		if err != nil {
			return err
		}
		if err := look(file, e); err != nil {
			return err
		}
	}
	return s.result(all, func(w io.Writer) {
		for _, f := range all {
			fmt.Fprintln(w, f.Query)
			for _, h := range f.Hits {
				fmt.Fprintf(w, "  %.3f\t%s\t%s\n", h.Score, h.Key, h.Caption)
			}
		}
	})
}
