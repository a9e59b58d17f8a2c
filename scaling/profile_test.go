package scaling

import (
	"encoding/csv"
	"os"
	"strconv"
	"strings"
	"testing"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/vision"
)

// TestProfile compares with what open_clip's authors counted on the real models.
func TestProfile(t *testing.T) {
	file := must(os.Open("testdata/model_profile.csv"))(t)
	defer file.Close()
	r := csv.NewReader(file)
	r.Comment = '#'
	for _, row := range must(r.ReadAll())(t)[1:] {
		name := row[0]
		cfg, ok := encoder.ConfigByName(name)
		if !ok {
			t.Errorf("%s is not known", name)
			continue
		}
		image, caption, err := MultiplyAdds(cfg)
		if err != nil {
			t.Error(err)
			continue
		}
		giga := func(i int) float64 { return must(strconv.ParseFloat(row[i], 64))(t) }
		switch {
		case strings.HasPrefix(name, "RN"), strings.HasPrefix(name, "coca_ViT"):
			// They count the pool's queries and outputs for every position; one is computed here.
			if ratio := 2 * image / 1e9 / giga(1); !(ratio > 0.94 && ratio < 1) {
				t.Errorf("%s: %g of the image's FLOPs", name, ratio)
			}
		default:
			near(t, name+", image", 2*image/1e9/giga(1), 1, 0.0032) // two decimals, and the biases of vit_relpos
		}
		switch {
		case strings.Contains(name, "roberta"), strings.HasPrefix(name, "nllb"):
			// Of 76, 512 and 1024 tokens there.
		default:
			near(t, name+", text", 2*caption/1e9/giga(2), 1, 0.0016)
		}
	}
}

// TestMultiplyAddsOfGraphs counts once more for all of open_clip's configurations, from the graph that runs: each number
// of an op's output takes as many multiplications as a weight of the op has numbers for
// each of its channels, and attention 2·L where it sees L tokens. The graph computes less where
// only one token of the last block is pooled: up to ten twelfths of one block in ten.
func TestMultiplyAddsOfGraphs(t *testing.T) {
	for i, name := range encoder.ConfigNames() {
		if testing.Short() && i%8 > 0 {
			continue
		}
		cfg, _ := encoder.ConfigByName(name)
		image, caption, err := MultiplyAdds(cfg)
		if err != nil {
			t.Error(err)
			continue
		}
		g := G.NewGraph()
		size := cfg.Vision.Dims().ImageSize
		pixels := nn.Leaf(g, "pixels", make([]float32, 3*size[0]*size[1]), 1, 3, size[0], size[1])
		must(must(cfg.Vision.New())(t).Forward(vision.Input{Pixels: pixels}))(t)
		if ratio := image / counted(g); !(ratio > 0.998 && ratio < 1.092) && !strings.Contains(name, "relpos") { // whose biases are computed once
			t.Errorf("%s: %g of the image's multiply-adds in its graph", name, ratio)
		}

		g = G.NewGraph()
		l := cfg.Text.Dims().ContextLength
		in := text.Input{Tokens: nn.Leaf(g, "tokens", make([]int32, l), 1, l), Pooled: nn.Leaf(g, "pooled", make([]int32, 1), 1)}
		must(must(cfg.Text.New())(t).Forward(in))(t)
		if ratio := caption / counted(g); !(ratio > 0.998 && ratio < 1.092) {
			t.Errorf("%s: %g of the caption's multiply-adds in its graph", name, ratio)
		}
	}
}

func counted(g *G.ExprGraph) float64 {
	total := 0.0
	for _, n := range g.AllNodes() {
		if n.Op() == nil {
			continue
		}
		var weight, longest int // numbers of the largest matrix, tokens of the longest input
		for inputs := g.From(n.ID()); inputs.Next(); {
			x := inputs.Node().(*G.Node)
			if s := x.Shape(); len(s) == 2 || len(s) == 4 && s[0] > 1 { // one image is no kernel
				weight = max(weight, s.TotalSize())
			}
			if s := x.Shape(); len(s) == 3 {
				longest = max(longest, s[1])
			}
		}
		out := n.Shape()
		switch op := n.Op().String(); {
		case op == "linear", op == "matmul", op == "patch embedding", strings.HasSuffix(op, "convolution"):
			total += float64(out.TotalSize()) * float64(weight/out[len(out)-1])
		case op == "picked queries": // one token's, and all keys and values
			samples, l, w := out[0], out[1], out[2]/3
			total += float64(samples) * float64(2*l+1) * float64(w*w)
		case strings.Contains(op, "attention"):
			total += float64(out.TotalSize()) * 2 * float64(longest)
		}
	}
	return total
}
