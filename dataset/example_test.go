package dataset_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"testing/fstest"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/dataset/shapes"
)

func ExampleBatches() {
	train, err := shapes.Set{Seed: 1}.Train(1000)
	if err != nil {
		log.Fatal(err)
	}
	options := dataset.BatchOptions{Size: 300, Epochs: 2, Shuffle: true, Seed: 7}
	for batch, err := range dataset.Batches(context.Background(), train, options) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(batch.Epoch, len(batch.Pairs), batch.Next.Position)
	}
	// Output:
	// 0 300 300
	// 0 300 600
	// 0 300 900
	// 1 300 300
	// 1 300 600
	// 1 300 900
}

func ExampleOpenFS() {
	folder := fstest.MapFS{
		"captions.csv": {Data: []byte("image,caption\nfox.png,a fox in the snow\nowl.png\n")},
	}
	set, err := dataset.OpenFS(folder, "captions.csv", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer set.Close()
	for sample, err := range set.Samples(context.Background(), dataset.Order{}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%q %q %v\n", sample.Key, sample.Captions, sample.Fault)
	}
	// Output:
	// "fox.png" ["a fox in the snow"] <nil>
	// "" [] captions.csv, line 3: fields: 1, columns in the header: 2 (a field with a ',' needs quotes)
}

func ExampleLedger() {
	folder := fstest.MapFS{
		"captions.csv": {Data: []byte("image,caption\nfox.png,a fox in the snow\n")},
		"fox.png":      {Data: []byte("<html>404</html>")},
	}
	set, err := dataset.OpenFS(folder, "captions.csv", nil)
	if err != nil {
		log.Fatal(err)
	}
	ledger := new(dataset.Ledger)
	for _, err := range dataset.Batches(context.Background(), set, dataset.BatchOptions{Size: 1, Ledger: ledger}) {
		fmt.Println(err)
	}
	ledger.WriteJSONLines(os.Stdout)
	// Output:
	// dataset: batches: epoch 0 gave no batch of 1: of 1 samples 0 can be used; the first of the others: captions.csv: fox.png: pillow: HTML: the download failed
	// {"file":"captions.csv","key":"fox.png","reason":"pillow: HTML: the download failed","times":1}
}
