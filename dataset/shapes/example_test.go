package shapes_test

import (
	"fmt"
	"image/color"
	"log"

	"github.com/goclip/goclip/dataset/shapes"
)

func ExampleSet() {
	set := shapes.Set{Seed: 1, Relations: 0.5}
	train, err := set.Train(20000)
	if err != nil {
		log.Fatal(err)
	}
	for i := range 4 {
		fmt.Println(train.At(i).Captions[0])
	}
	fmt.Println(set.HeldOut())
	// Output:
	// a picture of a medium purple cross right of a red ring
	// a photo of a purple cross left of a red ring
	// a red cross right of a purple ring
	// a picture of a medium red cross left of a purple ring
	// [red triangle green diamond blue cross yellow square purple heart pink star cyan circle brown ring]
}

func ExampleScene() {
	night := color.NRGBA{20, 20, 30, 255}
	scene := shapes.Scene{
		Ground: shapes.Ground{From: night, To: night},
		Objects: []shapes.Object{
			{Color: shapes.Red, Shape: shapes.Circle, X: 0.5, Y: 0.25, Radius: 0.2},
			{Color: shapes.Blue, Shape: shapes.Square, X: 0.5, Y: 0.75, Radius: 0.2},
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
