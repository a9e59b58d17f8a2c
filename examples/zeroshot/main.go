// Zeroshot names images with labels of your own, which the model need not have
// been trained on.
//
//	go run ./examples/train                                        # makes goclip-toy
//	go run ./examples/zeroshot -model goclip-toy "red circle,blue star" image.png …
//
// Without images it draws some. The model may be any checkpoint that the
// library reads.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strings"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/dataset/shapes"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/examples/internal/sheet"
	"github.com/goclip/goclip/vision"
)

func main() {
	log.SetFlags(0)
	path := flag.String("model", "goclip-toy", "checkpoint, as examples/train writes it")
	template := flag.String("template", "a photo of a {}", "prompt; {} stands for the label")
	out := flag.String("out", "goclip-zeroshot.png", "sheet to draw")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *path, *template, *out, flag.Arg(0), flag.Args()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, path, template, out, labels string, args []string) error {
	if labels == "" {
		labels = strings.Join(shapes.Set{}.Classes(), ",")
	}
	model, err := encoder.Load(path, nil)
	if err != nil {
		return err
	}
	defer model.Close()
	classifier, err := model.NewClassifier(ctx, strings.Split(labels, ","), template)
	if err != nil {
		return err
	}
	images, err := load(args)
	if err != nil {
		return err
	}
	page := sheet.New("Zero-shot classification")
	row := page.Row(template)
	for _, p := range images {
		best, err := classifier.Classify(ctx, p.Image)
		if err != nil {
			return fmt.Errorf("%s: %w", p.Key, err)
		}
		cell := sheet.Cell{Image: p.Image, Caption: best[0].Label, Note: p.Key}
		for _, b := range best[:min(3, len(best))] {
			fmt.Printf("%-24s %5.1f %%  %s\n", p.Key, 100*b.Probability, b.Label)
			cell.Bars = append(cell.Bars, sheet.Bar{Label: b.Label, Value: b.Probability})
		}
		row.Add(cell)
	}
	if err := page.WritePNG(out); err != nil {
		return err
	}
	fmt.Printf("sheet: %s\n", out)
	return nil
}

// load decodes the images named behind the labels, or draws a dozen.
func load(args []string) ([]dataset.Pair, error) {
	if len(args) < 2 {
		return drawn(12)
	}
	var pairs []dataset.Pair
	for _, path := range args[1:] {
		img, err := vision.DecodeFile(path, nil)
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, dataset.Pair{Key: path, Image: img})
	}
	return pairs, nil
}

func drawn(n int) ([]dataset.Pair, error) {
	set, err := shapes.Set{Seed: 7}.Unseen(n)
	if err != nil {
		return nil, err
	}
	pairs := make([]dataset.Pair, n)
	for i := range pairs {
		if pairs[i], err = set.At(i).Pair(0); err != nil {
			return nil, err
		}
		pairs[i].Key = "a drawn " + pairs[i].Label
	}
	return pairs, nil
}
