// Search finds pictures by words: it embeds a set of pictures once and ranks them
// for each query.
//
//	go run ./examples/train                                   # makes goclip-toy
//	go run ./examples/search "a red circle" "a large blue star on a dark ground"
//	go run ./examples/search -data photos.csv "a dog on a beach"
package main

import (
	"context"
	"flag"
	"fmt"
	"image"
	"log"
	"os"
	"os/signal"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/examples/internal/sheet"
)

func main() {
	log.SetFlags(0)
	path := flag.String("model", "goclip-toy", "checkpoint, as examples/train writes it")
	data := flag.String("data", "", "pictures to search in: a folder, a table or a tar; drawn ones where empty")
	k := flag.Int("k", 6, "results per query")
	out := flag.String("out", "goclip-search.png", "sheet to draw")
	flag.Parse()
	queries := flag.Args()
	if len(queries) == 0 {
		queries = []string{"a red circle", "a small yellow star", "a blue square on a dark ground", "a large green heart at the top left"}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *path, *data, queries, *k, *out); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, path, data string, queries []string, k int, out string) error {
	model, err := encoder.Load(path, nil)
	if err != nil {
		return err
	}
	defer model.Close()
	set, err := open(data)
	if err != nil {
		return err
	}
	index, pictures, err := build(ctx, model, set)
	if err != nil {
		return err
	}
	words, err := model.EncodeTexts(ctx, queries...)
	if err != nil {
		return err
	}
	page := sheet.New(fmt.Sprintf("%d pictures, searched by words", index.Len()))
	page.Columns = k
	for i, query := range queries {
		hits, err := index.Search(words.Row(i), k)
		if err != nil {
			return err
		}
		fmt.Println(query)
		row := page.Row(query)
		for _, h := range hits {
			fmt.Printf("  %.3f  %s\n", h.Score, h.Key)
			row.Add(sheet.Cell{Picture: pictures[h.Key], Note: fmt.Sprintf("%.3f  %s", h.Score, h.Key)})
		}
	}
	if err := page.WritePNG(out); err != nil {
		return err
	}
	fmt.Printf("sheet: %s\n", out)
	return nil
}

// open is the user's set, or 2,000 drawn pictures.
func open(data string) (dataset.Source, error) {
	if data == "" {
		return dataset.Shapes{Seed: 11}.Known(2000)
	}
	return dataset.Open(data, nil)
}

// build embeds every picture of the set and keeps it for the sheet.
func build(ctx context.Context, model *encoder.Model, set dataset.Source) (*encoder.Index, map[string]image.Image, error) {
	index, pictures := encoder.NewIndex(model.Config().Vision.EmbedDim), make(map[string]image.Image)
	ledger := &dataset.Ledger{}
	for batch, err := range dataset.Batches(ctx, set, dataset.BatchOptions{Size: 64, Epochs: 1, KeepLast: true, Ledger: ledger}) {
		if err != nil {
			return nil, nil, err
		}
		var keys []string
		var imgs []image.Image
		for _, p := range batch.Pairs {
			keys, imgs = append(keys, p.Key), append(imgs, p.Image)
			pictures[p.Key] = p.Image
		}
		e, err := model.EncodeImages(ctx, imgs...)
		if err != nil {
			return nil, nil, err
		}
		if err := index.Add(keys, e); err != nil {
			return nil, nil, err
		}
	}
	for _, bad := range ledger.Bad() {
		fmt.Fprintf(os.Stderr, "left out: %s\n", bad)
	}
	return index, pictures, nil
}
