// Rank orders images by how well they fit a prompt, as one chooses among many
// that were drawn for it, or captions by how well they fit an image.
//
//	go run ./examples/train                                  # makes goclip-toy
//	go run ./examples/rank                                   # how often is the right one of 100 first?
//	go run ./examples/rank "a red circle" a.png b.png …      # images of your own
//	go run ./examples/rank -image a.png "a cat" "a dog" …  # captions of your own
//
// The model may be any checkpoint that the library reads.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"image"
	"log"
	"os"
	"os/signal"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/examples/internal/sheet"
	"github.com/goclip/goclip/vision"
)

func main() {
	log.SetFlags(0)
	path := flag.String("model", "goclip-toy", "checkpoint, as examples/train writes it")
	img := flag.String("image", "", "image to rank captions for")
	out := flag.String("out", "goclip-rank.png", "sheet to draw")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *path, *img, *out, flag.Args()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, path, img, out string, args []string) error {
	model, err := encoder.Load(path, nil)
	if err != nil {
		return err
	}
	defer model.Close()
	var page *sheet.Sheet
	switch {
	case img != "" && len(args) == 0:
		return errors.New("-image wants captions to rank")
	case img != "":
		page, err = captions(ctx, model, img, args)
	case len(args) == 1:
		return fmt.Errorf("prompt %q wants images to rank", args[0])
	case len(args) > 1:
		page, err = images(ctx, model, args[0], args[1:])
	default:
		page, err = measure(ctx, model)
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

// images ranks files for a prompt.
func images(ctx context.Context, model *encoder.Model, prompt string, paths []string) (*sheet.Sheet, error) {
	imgs := make([]image.Image, len(paths))
	for i, path := range paths {
		var err error
		if imgs[i], err = vision.DecodeFile(path, nil); err != nil {
			return nil, err
		}
	}
	ranked, err := model.RankImages(ctx, prompt, imgs...)
	if err != nil {
		return nil, err
	}
	page := sheet.New(fmt.Sprintf("%d images, the best first", len(imgs)))
	row := page.Row(prompt)
	for _, r := range ranked {
		note := fmt.Sprintf("%.3f  %s", r.Score, paths[r.Index])
		fmt.Println(note)
		row.Add(sheet.Cell{Image: imgs[r.Index], Note: note})
	}
	return page, nil
}

// captions ranks texts for an image file.
func captions(ctx context.Context, model *encoder.Model, path string, texts []string) (*sheet.Sheet, error) {
	img, err := vision.DecodeFile(path, nil)
	if err != nil {
		return nil, err
	}
	ranked, err := model.RankTexts(ctx, img, texts...)
	if err != nil {
		return nil, err
	}
	page := sheet.New(fmt.Sprintf("%d captions, the best first", len(texts)))
	cell := sheet.Cell{Image: img, Caption: texts[ranked[0].Index], Note: path}
	for _, r := range ranked {
		fmt.Printf("%.3f  %s\n", r.Score, texts[r.Index])
		cell.Bars = append(cell.Bars, sheet.Bar{Label: texts[r.Index], Value: r.Score, Text: fmt.Sprintf("%.3f", r.Score)})
	}
	page.Row("").Add(cell)
	return page, nil
}
