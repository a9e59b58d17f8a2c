package vision

import (
	"testing"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/internal/golden"
	"github.com/goclip/goclip/internal/torchfile"
	"github.com/goclip/goclip/nn"
)

// TestResNetStages compares what every stage of a ModifiedResNet computes with
// OpenAI's implementation, and the features at the end.
func TestResNetStages(t *testing.T) {
	cfg := ResNet{ImageSize: [2]int{64, 64}, Width: 8, EmbedDim: 32, Stages: [4]int{1, 2, 1, 1}}
	checkpoint, err := torchfile.Open(golden.Fixtures(t, "checkpoints", "openai_rn", "model.pt"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { checkpoint.Close() })
	r := loadResNet(t, checkpoint, cfg).(*resnet)
	acts := openTensors(t, "activations", "openai_rn.intermediates.safetensors")
	pixels, shape := readTensor(t, acts, "pixel_values")

	g := G.NewGraph()
	var names []string
	var nodes []*G.Node
	keep := func(name string, x *G.Node) *G.Node {
		names, nodes = append(names, name), append(nodes, x)
		return x
	}
	x := nn.ChannelsLast(pixelNode(g, pixels, shape))
	for i, c := range r.stem {
		x = nn.ReLU(keep([]string{"bn1", "bn2", "bn3"}[i], c.forward(x)))
	}
	x = keep("avgpool", nn.AvgPool2D(x, 2))
	for i, blocks := range r.stages {
		for _, b := range blocks {
			x = b.forward(x)
		}
		keep([]string{"layer1", "layer2", "layer3", "layer4"}[i], x)
	}
	keep("attnpool", r.pool.forward(x))
	runGraph(t, g, nodes...)
	for i, n := range nodes {
		want, shape := readTensor(t, acts, "vision."+names[i])
		if len(shape) == 4 {
			want = channelsLast(want, shape)
		}
		near(t, names[i], n.Value().Data().([]float32), want, 2e-5)
	}

	acts = openTensors(t, "activations", "openai_rn.safetensors")
	pixels, shape = readTensor(t, acts, "pixel_values")
	want, _ := readTensor(t, acts, "image_features")
	g = G.NewGraph()
	y, err := r.Forward(Input{Pixels: pixelNode(g, pixels, shape)})
	if err != nil {
		t.Fatal(err)
	}
	runGraph(t, g, y)
	near(t, "image features", y.Value().Data().([]float32), want, 3e-5)
}

// channelsLast reorders (B, C, H, W).
func channelsLast(x []float32, shape []int) []float32 {
	c, area := shape[1], shape[2]*shape[3]
	y := make([]float32, len(x))
	for i, v := range x {
		y[(i/(c*area)*area+i%area)*c+i/area%c] = v
	}
	return y
}
