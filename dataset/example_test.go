package dataset_test

import (
	"context"
	"fmt"
	"image/color"
	"log"
	"os"
	"testing/fstest"

	"github.com/goclip/goclip/dataset"
)

func ExampleShapes() {
	shapes := dataset.Shapes{Seed: 1, Relations: 0.5}
	train, err := shapes.Train(20000)
	if err != nil {
		log.Fatal(err)
	}
	for i := range 4 {
		fmt.Println(train.At(i).Captions[0])
	}
	fmt.Println(shapes.HeldOut())
	// Output:
	// a picture of a medium purple cross right of a red ring
	// a photo of a purple cross left of a red ring
	// a red cross right of a purple ring
	// a picture of a medium red cross left of a purple ring
	// [red triangle green diamond blue cross yellow square purple heart pink star cyan circle brown ring]
}

func ExampleBatches() {
	train, err := dataset.Shapes{Seed: 1}.Train(1000)
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
	// dataset: batches: epoch 0 gave no batch of 1: of 1 samples 0 can be used; the first of the others: captions.csv: fox.png: pillow: not a picture: starts with "<html>404</html>"
	// {"file":"captions.csv","key":"fox.png","reason":"pillow: not a picture: starts with \"<html>404</html>\"","times":1}
}

func ExampleScene() {
	night := color.NRGBA{20, 20, 30, 255}
	scene := dataset.Scene{
		Ground: dataset.Ground{From: night, To: night},
		Objects: []dataset.Object{
			{Color: dataset.Red, Shape: dataset.Circle, X: 0.5, Y: 0.25, Radius: 0.2},
			{Color: dataset.Blue, Shape: dataset.Square, X: 0.5, Y: 0.75, Radius: 0.2},
		},
	}
	img, err := scene.Draw(64)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(img.RGBAAt(32, 16), img.RGBAAt(32, 48))
	// Output:
	// {220 20 20 255} {25 60 230 255}
}
