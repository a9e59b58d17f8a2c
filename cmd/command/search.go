package command

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"time"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/explain"
	"github.com/goclip/goclip/index"
	"github.com/goclip/goclip/photos"
	"github.com/goclip/goclip/vision"
)

type searchCommand struct {
	modelFlags
	imageFlags
	draftFlag
	uprightFlag
	filterFlags
	Index   string            `placeholder:"FILE" help:"Index that goclip index wrote with the same model."`
	Store   string            `placeholder:"URL" help:"Database in the place of an index: postgres://…, chroma+http://…, weaviate+http://… or opensearch+http://…, through the program goclip-store-postgres and so on, which is installed apart (contrib/stores); goclip index --store fills it. --upright and --draft say how its images were prepared; an index knows."`
	Label   map[string]string `mapsep:"none" placeholder:"NAME=VALUE" help:"Of a --store: only images with this label; may be given several times."`
	K       int               `short:"k" default:"10" help:"Results for each query."`
	Image   []string          `placeholder:"FILE" help:"Image to search for; may be given several times; - is standard input."`
	Min     *float64          `placeholder:"STRENGTH" help:"Only images at least so much above what the index scores on the query anyway, in standard deviations: 3 means the same for every query."`
	Explain string            `placeholder:"DIR" help:"Write a PNG for each photograph found: a heat map over it of what fits the query. The index has to be of a folder."`
	Print0  bool              `name:"print0" help:"Write the keys alone, each with a zero byte behind it, for xargs -0."`
	Queries []string          `arg:"" optional:"" help:"Queries; quote each one. - reads them from standard input, one a line."`
}

func (searchCommand) Help() string {
	return `A query is words, and these may have signs and weights:

    goclip search --model model --index photos.index "a dog on a beach" "a red bicycle"
    goclip search --model model --index photos.index "beach -people"
    goclip search --model model --index photos.index '2*dog +"in the snow" -"a crowd of people"'
    goclip search --model model --index photos.index 'like:2024/0123.jpg +"at night"'
    goclip search --model model --index photos.index 'image:mine.jpg -grass'

A sign or a weight stands before one word, or before several in quotes; like: is for an image of the index, image: for a file. A query in quotes from end to end, as '"t-shirt -50%"', is only words.

    goclip search --model model --index photos.index --image like-this.jpg -k 5 --json
    goclip search --model model --index photos.index -k 3 --explain why "a dog on a beach"
    goclip search --model model --index photos.index --path "2024/**" --after 2024-06 --min 3 "a dog" --print0 | xargs -0 cp -t dogs

    goclip search --model model --store postgres://me@localhost/images "a dog on a beach" --label album=2024

The score is the cosine of the query and the image: scores of one query can be compared with each other, those of different queries hardly. The strength beside it can: it is by how many standard deviations an image is above the middle of the index on that query; of images that have nothing to do with it one in 740 is above 3.`
}

// filterFlags choose among the images of an index.
type filterFlags struct {
	Path   []string `sep:"none" placeholder:"PATTERN" help:"Only images whose key matches, such as \"2024/**\" or \"*.png\"; may be given several times."`
	After  string   `placeholder:"DATE" help:"Only photographs taken on this day or later: 2006, 2006-01 or 2006-01-02. Where a file does not say when, its own time counts."`
	Before string   `placeholder:"DATE" help:"Only photographs taken on this day or earlier."`
}

// keep is the filter of the flags, nil for none.
func (f *filterFlags) keep() (func(index.Entry) bool, error) {
	var globs []func(string) bool
	for _, p := range f.Path {
		g, err := photos.Glob(p)
		if err != nil {
			return nil, coded{err, misuse}
		}
		globs = append(globs, g)
	}
	between, err := photos.Between(f.After, f.Before, time.Local)
	if err != nil {
		return nil, coded{err, misuse}
	}
	dated := f.After+f.Before != ""
	if len(globs) == 0 && !dated {
		return nil, nil
	}
	return func(e index.Entry) bool {
		fits := len(globs) == 0
		for _, g := range globs {
			fits = fits || g(e.Key)
		}
		if fits && dated {
			p, ok := photos.Parse(e.Meta)
			fits = ok && between(p)
		}
		return fits
	}, nil
}

// as prepares images as those of an index were.
func (f *modelFlags) as(path string) error {
	x, err := index.OpenUnread(path, nil)
	if err != nil {
		return input(err)
	}
	upright := x.Upright()
	f.upright, f.draft = &upright, x.Draft()
	return input(x.Close())
}

// withIndex opens an index, and the model that is to look in it.
func (f *modelFlags) withIndex(s *session, path string, draft bool, n need) (*encoder.Model, *index.Index, error) {
	if err := f.as(path); err != nil {
		return nil, nil, err
	}
	f.draft = f.draft || draft
	m, err := f.load(s, n)
	if err != nil {
		return nil, nil, err
	}
	x, err := photos.Open(path, m)
	if err != nil {
		return nil, nil, input(errors.Join(err, m.Close()))
	}
	return m, x, nil
}

type hit struct {
	Key      string      `json:"key"`
	Caption  string      `json:"caption,omitempty"`
	Score    float64     `json:"score"`
	Strength *float64    `json:"strength,omitempty"` // above the background, where there is one
	Taken    string      `json:"taken,omitempty"`
	Place    *[2]float64 `json:"place,omitempty"`
	Explain  string      `json:"explain,omitempty"` // the file of its map
}

type found struct {
	Query string `json:"query"`
	Hits  []hit  `json:"hits"`
}

func (c *searchCommand) Run(s *session) (err error) {
	if len(c.Queries)+len(c.Image) == 0 {
		return wrong("nothing to look for: give a query in words or --image")
	}
	switch {
	case (c.Index == "") == (c.Store == ""):
		return wrong("want one of --index and --store")
	case c.Store == "" && len(c.Label) > 0:
		return wrong("--label is for a --store")
	case c.Store != "" && c.Explain != "":
		return wrong("--explain needs an --index of a folder of photographs, not a --store")
	}
	if c.K < 1 {
		return wrong("-k %d, want 1 or more", c.K)
	}
	if c.Min != nil && math.IsNaN(*c.Min) {
		return wrong("--min is not a number")
	}
	if c.Print0 && s.json {
		return wrong("--print0 and --json are two forms of the result: want one of them")
	}
	keep, err := c.keep()
	if err != nil {
		return err
	}
	maps := explainFlags{Explain: c.Explain}
	if err := maps.free(); err != nil {
		return err
	}
	if c.Queries, err = s.fromStandardInput(c.Queries); err != nil {
		return err
	}
	asked, words, images := make([][]index.Part, len(c.Queries)), false, len(c.Image) > 0 || c.Explain != ""
	for i, q := range c.Queries {
		if asked[i], err = index.ParseQuery(q); err != nil {
			return coded{err, misuse}
		}
		for _, p := range asked[i] {
			words, images = words || p.Kind == index.Words, images || p.Kind == index.File
		}
	}
	if c.Store != "" {
		return c.inStore(s, asked, need{images: images, words: words}, keep)
	}
	m, x, err := c.withIndex(s, c.Index, c.Draft, need{images: images, words: words})
	if err != nil {
		return err
	}
	defer closing(&err, m.Close)
	defer closing(&err, x.Close)
	l := looking{searchCommand: c, session: s, model: m, index: x, keep: keep}
	if c.Explain != "" {
		if l.folder, err = photos.Folder(c.Index); err == nil && l.folder == "" {
			err = fmt.Errorf("--explain needs the photographs, and %s is of no folder", c.Index)
		}
		if err != nil {
			return input(err)
		}
	}
	if err := l.each(asked, l.look); err != nil {
		return err
	}
	return l.tell()
}

// each looks for all queries.
func (l *looking) each(asked [][]index.Part, look func(query string, parts []index.Part) error) error {
	for i, q := range l.Queries {
		if err := look(q, asked[i]); err != nil {
			return err
		}
	}
	for _, file := range l.Image {
		if err := look(file, []index.Part{{Weight: 1, Kind: index.File, Text: file}}); err != nil {
			return err
		}
	}
	return nil
}

// tell is the result.
func (l *looking) tell() error {
	if l.Print0 {
		return printKeys(l.session.out, l.all)
	}
	return l.session.result(l.all, func(w io.Writer) {
		for _, f := range l.all {
			fmt.Fprintln(w, f.Query)
			for _, h := range f.Hits {
				strength := ""
				if h.Strength != nil {
					strength = fmt.Sprintf("\t%+.1f", *h.Strength)
				}
				fmt.Fprintf(w, "  %.3f\t%s\t%s%s\n", h.Score, dataset.Printable(h.Key), dataset.Printable(h.Caption), strength)
			}
		}
	})
}

// looking is a search in progress.
type looking struct {
	*searchCommand
	session *session
	model   *encoder.Model
	index   *index.Index
	keep    func(index.Entry) bool
	folder  string // of the photographs, for maps
	drawn   int
	all     []found
}

// look adds what a query finds.
func (l *looking) look(query string, parts []index.Part) error {
	terms := make([]index.Term, len(parts))
	for i, p := range parts {
		e, err := l.embed(query, p)
		if err != nil {
			return err
		}
		terms[i] = index.Term{Weight: p.Weight, Embedding: e}
	}
	q, err := l.index.Combine(terms...)
	if err != nil {
		return input(fmt.Errorf("%q: %w", query, err))
	}
	background, err := l.index.Background(q)
	if err != nil {
		return err
	}
	if l.Min != nil && background.Spread == 0 {
		return input(fmt.Errorf("--min needs an index of %d images or more that are not all alike, and %s has %d", 16, l.Index, l.index.Len()))
	}
	hits, err := l.index.Search(q, l.K, l.keep)
	if err != nil {
		return err
	}
	f := found{Query: query, Hits: []hit{}}
	for _, h := range hits {
		strength := background.Above(h.Score)
		if l.Min != nil && strength < *l.Min {
			break
		}
		one := hit{Key: h.Key, Caption: h.Meta, Score: h.Score}
		if background.Spread > 0 {
			one.Strength = &strength
		}
		if p, ok := photos.Parse(h.Meta); ok {
			one.Caption, one.Taken, one.Place = p.Caption, p.Taken, p.Place
		}
		if one.Explain, err = l.draw(h.Key, q); err != nil {
			return err
		}
		f.Hits = append(f.Hits, one)
	}
	l.all = append(l.all, f)
	return nil
}

// draw writes the map of a hit; one whose file is gone or cannot be read is told of.
func (l *looking) draw(key string, query []float32) (string, error) {
	if l.folder == "" {
		return "", nil
	}
	reading := l.decode(l.session)
	reading.Draft = l.model.Config().Preprocess.DraftSide()
	img, err := vision.DecodeFile(filepath.Join(l.folder, filepath.FromSlash(key)), reading)
	if err != nil {
		l.session.warn("%s has no map: %v", dataset.Printable(key), hinted(err))
		return "", nil
	}
	made, err := explain.Vector(l.session, l.model, img, query, explain.Gradients)
	if err != nil {
		return "", err
	}
	l.drawn++
	return writeMap(l.Explain, l.drawn, key, made, img)
}

// embed returns the embedding of a part.
func (l *looking) embed(query string, p index.Part) ([]float32, error) {
	switch p.Kind {
	case index.Like:
		e, ok := l.index.Embedding(p.Text)
		if !ok {
			return nil, input(fmt.Errorf("%q: %s has no image %q", query, l.Index, p.Text))
		}
		return e, nil
	case index.File:
		reading := l.decode(l.session)
		reading.Draft = l.model.Config().Preprocess.DraftSide()
		img, err := l.session.picture(p.Text, reading)
		if err != nil {
			return nil, input(hinted(err))
		}
		e, err := l.model.EncodeImages(l.session, img)
		if err != nil {
			return nil, err
		}
		return e.Data, nil
	}
	e, err := l.model.EncodeTexts(l.session, p.Text)
	if err != nil {
		return nil, err
	}
	if e.Truncated > 0 {
		l.session.cut("queries", []string{p.Text}, len(l.Queries))
	}
	return e.Data, nil
}

// printKeys writes the keys of what was found, once each, for programs.
func printKeys(w io.Writer, all []found) error {
	var b bytes.Buffer
	seen := map[string]bool{}
	for _, f := range all {
		for _, h := range f.Hits {
			if !seen[h.Key] {
				b.WriteString(h.Key + "\x00")
			}
			seen[h.Key] = true
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}
