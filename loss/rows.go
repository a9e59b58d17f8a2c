package loss

import (
	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/nn"
)

// ByRows is an objective of one's own in bounded memory: a sum over the B images, of each
// with all N texts. See [Row]. For a sum over the texts, of each with all images, see
// [ByColumns]; the mean of both is [Mix] with a share of 0.5.
func ByRows(name string, of func(*Row) float64) Loss { return rows{name: name, of: of} }

// ByColumns is [ByRows] of the texts: what it says of images holds for texts, and
// the other way round.
func ByColumns(name string, of func(*Row) float64) Loss {
	return rows{name: name, of: of, texts: true}
}

// Row is what a [ByRows] makes its part of the loss of, and of what the gradients come. The
// rows of a few hundred images are in memory at once. Several are asked for at the same time,
// on several goroutines.
type Row struct {
	Image        int       // its number, 0 to below B
	Similarities []float32 // with all N texts: products of embeddings
	Scale, Bias  float64   // make logits of them; the bias of a model without one is 0
	Right        []int32   // the texts that are right for the image, in ascending order
	Shares       []float64 // and their shares, see [Targets]
	Smoothing    float64   // of the targets

	// To be set: the derivatives of the part by each similarity, and by Scale and Bias where
	// it depends on them otherwise than through the similarities. All are 0 before.
	Gradient            []float32
	GradScale, GradBias float64
}

type rows struct {
	name  string
	of    func(*Row) float64
	texts bool
}

func (l rows) Name() string { return l.name }

func (l rows) Forward(in Input) (cost *G.Node, err error) {
	defer nn.Catch(&err, "loss")
	what := "ByRows"
	if l.texts {
		what = "ByColumns"
	}
	if l.of == nil {
		nn.Fail(what, "the function is nil")
	}
	b, n, d := in.sizes(what)
	nodes, t := []*G.Node{in.Image, in.Text, in.Scale}, in.Targets
	if in.Bias != nil {
		nn.WantShape(what, "bias", in.Bias, 1)
		nodes = append(nodes, in.Bias)
	}
	scalars := len(nodes)
	c := newContrast(b, n, d)
	if l.texts {
		c = newContrast(n, b, d)
	}
	back := c.pullbacks(nil)
	if l.texts {
		back[0], back[1] = back[1], back[0]
	}
	nodes, back = t.inputs(nodes, back[:scalars])
	return nn.Apply(nn.Op{
		Name: what,
		Forward: func(y []float32, x nn.Inputs) {
			right := t.resolve(x[scalars:], b, n)
			images, texts := x.F32(0), x.F32(1)
			if l.texts {
				images, texts = texts, images
			}
			var bias float64
			if in.Bias != nil {
				bias = float64(x.F32(3)[0])
			}
			y[0] = float32(l.run(c, images, texts, float64(x.F32(2)[0]), bias, right))
		},
		Backward: back,
	}, nodes...), nil
}

// run computes the loss and its gradients. The scale of a contrast is that of the logits; here
// it is in the derivatives by the similarities already.
func (l rows) run(c *contrast, images, texts []float32, scale, bias float64, right *right) float64 {
	c.begin(images, texts, 1, places{})
	losses := make([]float64, c.b)
	weigh := func(i int, sim []float32) (dScale, dBias float64) {
		row := Row{Image: i, Similarities: sim, Scale: scale, Bias: bias, Smoothing: right.smoothing, Gradient: make([]float32, c.n)}
		if l.texts {
			row.Right, row.Shares = right.ofText(i)
		} else {
			row.Right, row.Shares = right.ofImage(i)
		}
		losses[i] = l.of(&row)
		copy(sim, row.Gradient)
		return row.GradScale, row.GradBias
	}
	c.pull(1, 1, func(int) weigher { return weigh })
	return total(losses)
}
