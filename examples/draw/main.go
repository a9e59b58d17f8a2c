// Draw makes an image of a prompt: it begins with blobs of any colour and follows
// the gradient of the model's similarity of image and words, through the image
// tower, down to the blobs' outlines, places and colours. It writes the image
// and, as an animation, how it came to be.
//
//	go run ./examples/train -relations 0.5 -steps 8000
//	go run ./examples/draw "a small red circle above a blue square"
//
// A model can be deceived by what only it sees. Whether the images are good is
// for another to tell, trained from another seed: -judge has one name them,
// choosing among all combinations of a colour and a shape, all prompts, and for
// every prompt of two figures what it becomes when one word changes, or when two
// colours, two shapes or both change places. Without a prompt, twenty are drawn:
//
//	go run ./examples/train -relations 0.5 -steps 8000 -seed 2 -out goclip-judge
//	go run ./examples/draw -judge goclip-judge
//
// The judge named 14 of the twenty as their prompt, among 415 names: all ten of one
// figure and four of the ten of two; 13 where the two models change places. In the
// images of the first, all ten pairs lie as their prompts say; what the judge
// sees otherwise is a shape or a colour. Of true images of two figures, which are
// a few pixels large, either model chooses the right one of four relations for all,
// and the right caption among its rivals for 78 and 79 %.
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
	"strings"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/examples/internal/prompt"
	"github.com/goclip/goclip/examples/internal/sheet"
)

func main() {
	log.SetFlags(0)
	var o options
	flag.StringVar(&o.model, "model", "goclip-toy", "checkpoint that draws, as examples/train -relations 0.5 writes it")
	flag.StringVar(&o.judge, "judge", "", "checkpoint that names what was drawn; none where empty")
	flag.StringVar(&o.out, "out", "goclip-draw", "folder for the images")
	flag.IntVar(&o.attempts, "attempts", 8, "images for each prompt, of which the model's favourite is kept")
	flag.IntVar(&o.steps, "steps", 200, "steps along the gradient")
	flag.Uint64Var(&o.seed, "seed", 1, "of the attempts")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o, flag.Args()); err != nil {
		log.Fatal(err)
	}
}

type options struct {
	model, judge, out string
	attempts, steps   int
	seed              uint64
}

const outSide = 192 // of the images that are written

func run(ctx context.Context, o options, prompts []string) error {
	if o.attempts < 1 || o.steps < 1 {
		return fmt.Errorf("-attempts %d and -steps %d, want 1 or more", o.attempts, o.steps)
	}
	if len(prompts) == 0 {
		prompts = twenty
	}
	model, err := encoder.Load(o.model, nil)
	if err != nil {
		return err
	}
	defer model.Close()
	j, err := newJudge(ctx, o.judge, prompts)
	if err != nil {
		return err
	}
	defer j.close()
	if err := os.MkdirAll(o.out, 0o777); err != nil {
		return err
	}
	page := sheet.New("Drawn by a model")
	row := page.Row("from blobs, along the gradient of the similarity")
	for i, caption := range prompts {
		best, err := paint(ctx, model, caption, o)
		if err != nil {
			return fmt.Errorf("%s: %w", caption, err)
		}
		name := filepath.Join(o.out, fmt.Sprintf("%02d-%s", i+1, fileName(caption)))
		cell, err := keep(name, best)
		if err != nil {
			return err
		}
		cell.Caption = caption
		if err := j.name(ctx, &cell); err != nil {
			return err
		}
		row.Add(cell)
		fmt.Printf("%s.gif  score %.3f  %s\n", name, best.score, cell.Note)
	}
	if j.of > 0 {
		verdict := fmt.Sprintf("%d of %d were named as their prompt by %s, among %d names", j.right, j.of, o.judge, j.names())
		page.Footer(verdict)
		fmt.Println(verdict)
	}
	return page.WritePNG(filepath.Join(o.out, "sheet.png"))
}

// paint draws one prompt and returns the model's favourite.
func paint(ctx context.Context, model *encoder.Model, caption string, o options) (drawing, error) {
	c, err := model.NewClassifier(ctx, append([]string{caption}, prompt.Rivals(caption)...), templates()...)
	if err != nil {
		return drawing{}, err
	}
	blobs := 2 // also where the caption names no shape, or more
	if prompt.Figures(caption) == 1 {
		blobs = 1
	}
	attempts, err := draw(ctx, model, c.Embeddings(), blobs, o.attempts, o.steps, o.seed)
	if err != nil {
		return drawing{}, err
	}
	return attempts[0], nil
}

// keep writes the animation and its last image.
func keep(name string, d drawing) (sheet.Cell, error) {
	last := d.frames[len(d.frames)-1]
	img := canvas{blobs: blobsOf(last), side: outSide, soft: finalSoft}.image(last)
	err1 := sheet.WriteFile(name+".png", encodePNG(img))
	err2 := sheet.WriteFile(name+".gif", encodeGIF(d.frames))
	return sheet.Cell{Image: img}, errors.Join(err1, err2)
}

func fileName(caption string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(caption))
}
