// Rank orders pictures by how well they fit a prompt, as one chooses among many
// that were drawn for it, or captions by how well they fit a picture.
//
//	go run ./examples/train                                  # makes goclip-toy
//	go run ./examples/rank                                   # how often is the right one of 100 first?
//	go run ./examples/rank "a red circle" a.png b.png …      # pictures of your own
//	go run ./examples/rank -picture a.png "a cat" "a dog" …  # captions of your own
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
	picture := flag.String("picture", "", "picture to rank captions for")
	out := flag.String("out", "goclip-rank.png", "sheet to draw")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *path, *picture, *out, flag.Args()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, path, picture, out string, args []string) error {
	model, err := encoder.Load(path, nil)
	if err != nil {
		return err
	}
	defer model.Close()
	var page *sheet.Sheet
	switch {
	case picture != "" && len(args) == 0:
		return errors.New("-picture wants captions to rank")
	case picture != "":
		page, err = captions(ctx, model, picture, args)
	case len(args) == 1:
		return fmt.Errorf("prompt %q wants pictures to rank", args[0])
	case len(args) > 1:
		page, err = pictures(ctx, model, args[0], args[1:])
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

// pictures ranks files for a prompt.
func pictures(ctx context.Context, model *encoder.Model, prompt string, paths []string) (*sheet.Sheet, error) {
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
	page := sheet.New(fmt.Sprintf("%d pictures, the best first", len(imgs)))
	row := page.Row(prompt)
	for _, r := range ranked {
		note := fmt.Sprintf("%.3f  %s", r.Score, paths[r.Index])
		fmt.Println(note)
		row.Add(sheet.Cell{Picture: imgs[r.Index], Note: note})
	}
	return page, nil
}

// captions ranks texts for a picture file.
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
	cell := sheet.Cell{Picture: img, Caption: texts[ranked[0].Index], Note: path}
	for _, r := range ranked {
		fmt.Printf("%.3f  %s\n", r.Score, texts[r.Index])
		cell.Bars = append(cell.Bars, sheet.Bar{Label: texts[r.Index], Value: r.Score, Text: fmt.Sprintf("%.3f", r.Score)})
	}
	page.Row("").Add(cell)
	return page, nil
}
