package vision_test

import (
	"fmt"
	"log"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/vision"
)

// Your own gorgonia nodes before and after the tower: a brightness that is
// learnt, and a linear layer with two outputs on the features.
func Example_compose() {
	tower, err := vision.New(vision.ViT{
		ImageSize: [2]int{32, 32}, PatchSize: 8, Width: 32, Layers: 2, Heads: 2, EmbedDim: 16,
		Activation: nn.GELU, Pool: vision.PoolClass, NormEps: 1e-5,
	}, 1)
	if err != nil {
		log.Fatal(err)
	}
	g := G.NewGraph()
	pixels := G.NewTensor(g, tensor.Float32, 4, G.WithName("pixels"), G.WithShape(2, 3, 32, 32), G.WithInit(G.Gaussian(0, 1)))
	light := G.NewTensor(g, tensor.Float32, 4, G.WithName("light"), G.WithShape(2, 3, 32, 32), G.WithInit(G.Ones()))
	features, err := tower.Forward(vision.Input{Pixels: G.Must(G.HadamardProd(pixels, light))}) // (2, 16)
	if err != nil {
		log.Fatal(err)
	}
	head := G.NewMatrix(g, tensor.Float32, G.WithName("head"), G.WithShape(16, 2), G.WithInit(G.GlorotU(1)))
	cost := G.Must(G.Mean(G.Must(G.Square(G.Must(G.Mul(features, head))))))
	grads, err := G.Grad(cost, head, light)
	if err != nil {
		log.Fatal(err)
	}
	if err := G.NewTapeMachine(g).RunAll(); err != nil {
		log.Fatal(err)
	}
	fmt.Println(grads[0].Value().Shape(), grads[1].Value().Shape())
	// Output: (16, 2) (2, 3, 32, 32)
}
