// Explain shows what of an image fits a caption, and plays the pointing game: in drawn
// scenes of two figures, is the hottest place within the figure that a caption names?
//
//	go run ./examples/train -fine -relations 0.5 -steps 1500 -out goclip-fine
//	go run ./examples/explain -model goclip-fine             # the game, and a sheet of maps
//	go run ./examples/explain photo.jpg "a dog" "a ball"     # an image of your own
//
// The model may be any checkpoint that the library reads; of the game one that was trained
// on drawn images.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/examples/internal/sheet"
	"github.com/goclip/goclip/explain"
	"github.com/goclip/goclip/vision"
)

func main() {
	log.SetFlags(0)
	path := flag.String("model", "goclip-fine", "checkpoint, as examples/train -fine writes it")
	scenes := flag.Int("scenes", 500, "scenes of the game")
	out := flag.String("out", "goclip-explain.png", "sheet to draw")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *path, *scenes, *out, flag.Args()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, path string, scenes int, out string, args []string) error {
	model, err := encoder.Load(path, nil)
	if err != nil {
		return err
	}
	defer model.Close()
	page := sheet.New("What of an image fits a caption")
	switch {
	case len(args) == 1:
		return errors.New("an image wants captions")
	case len(args) > 1:
		err = show(ctx, model, page, args[0], args[1:])
	default:
		err = play(ctx, model, page, scenes)
	}
	if err != nil {
		return err
	}
	if err := page.WritePNG(out); err != nil {
		return err
	}
	fmt.Printf("sheet: %s\n", out)
	return nil
}

var methods = []explain.Method{explain.Gradients, explain.Patches}

// show draws the maps of one image, of each caption against the others.
func show(ctx context.Context, model *encoder.Model, page *sheet.Sheet, file string, captions []string) error {
	img, err := vision.DecodeFile(file, nil)
	if err != nil {
		return err
	}
	for _, by := range methods {
		row := page.Row(by.String())
		for _, c := range captions {
			o := explain.Options{Method: by}
			if len(captions) > 1 {
				o.Against = captions
			}
			m, err := explain.Image(ctx, model, img, c, o)
			if err != nil {
				return err
			}
			over, err := m.Overlay(img)
			if err != nil {
				return err
			}
			row.Add(sheet.Cell{Image: over, Note: c})
		}
	}
	return nil
}
