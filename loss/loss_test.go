package loss_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/goclip/goclip/internal/golden"
	"github.com/goclip/goclip/internal/safetensors"
	"github.com/goclip/goclip/loss"
	"github.com/goclip/goclip/nn"
)

// batch is the input of a loss and, once run, its value and gradients.
type batch struct {
	b, d        int
	image, text []float32
	scale, bias float32
	groups      []int32
	smoothing   float64
	teacher     *batch
	share       float64 // of the teacher in the loss

	// Of batches with other texts than one for each image: N, whose they are, and their shares.
	n      int
	images []int32
	shares []float32
	own    loss.Loss // in place of an objective of the package
}

// texts is N.
func (in batch) texts() int {
	if in.n == 0 {
		return in.b
	}
	return in.n
}

type result struct {
	cost                      float64
	image, text, scale, biasG []float32
}

func random(seed uint64, b, d int, scale float32) batch {
	rng := rand.New(rand.NewPCG(seed, 1))
	rows := func() []float32 {
		x := make([]float32, b*d)
		for i := range x {
			x[i] = float32(rng.NormFloat64())
		}
		for i := range b {
			nn.NormalizeRow(x[i*d:][:d], x[i*d:][:d])
		}
		return x
	}
	return batch{b: b, d: d, image: rows(), text: rows(), scale: scale, bias: -3}
}

func leaf(g *G.ExprGraph, name string, v []float32, shape ...int) *G.Node {
	return G.NewTensor(g, tensor.Float32, len(shape), G.WithName(name), G.WithShape(shape...),
		G.WithValue(tensor.New(tensor.WithShape(shape...), tensor.WithBacking(v))))
}

// run computes an objective, infonce or sigmoid, mixed with a teacher's where
// there is one, and its gradients.
func (in batch) run(t testing.TB, objective string) result {
	t.Helper()
	cost, m, grads := in.machine(t, objective)
	must(t, m.Run())
	data := func(i int) []float32 {
		if i >= len(grads) {
			return nil
		}
		return grads[i].Value().Data().([]float32)
	}
	return result{float64(cost.Value().Data().(float32)), data(0), data(1), data(2), data(3)}
}

// machine computes the same.
func (in batch) machine(t testing.TB, objective string) (cost *G.Node, m *nn.Machine, grads []*G.Node) {
	t.Helper()
	g := G.NewGraph()
	image, text := leaf(g, "image", in.image, in.b, in.d), leaf(g, "text", in.text, in.texts(), in.d)
	scale, bias := leaf(g, "scale", []float32{in.scale}, 1), leaf(g, "bias", []float32{in.bias}, 1)
	targets := loss.Targets{Smoothing: in.smoothing}
	if in.groups != nil {
		targets.Groups = G.NewTensor(g, tensor.Int32, 1, G.WithName("groups"), G.WithShape(in.b),
			G.WithValue(tensor.New(tensor.WithShape(in.b), tensor.WithBacking(in.groups))))
	}
	if in.images != nil {
		targets.Images = nn.Leaf(g, "images", in.images, in.texts())
	}
	if in.shares != nil {
		targets.Shares = nn.Leaf(g, "shares", in.shares, in.texts())
	}
	wrt := []*G.Node{image, text, scale}
	var f loss.Loss = loss.InfoNCE{}
	if objective == "sigmoid" {
		f, wrt = loss.Sigmoid{}, append(wrt, bias)
	}
	if in.own != nil {
		f = in.own
	}
	if e := in.teacher; e != nil {
		teacher := loss.Teacher{
			Image: leaf(g, "teacher's image", e.image, e.b, e.d), Text: leaf(g, "teacher's text", e.text, e.texts(), e.d),
			Scale: leaf(g, "teacher's scale", []float32{e.scale}, 1),
		}
		if f = loss.Mix(in.share, f, teacher); in.share == 1 {
			f = teacher
		}
	}
	cost, err := f.Forward(loss.Input{Image: image, Text: text, Scale: scale, Bias: bias, Targets: targets})
	must(t, err)
	grads, err = nn.Grad(cost, wrt...)
	must(t, err)
	m, err = nn.NewMachine(g, append(grads, cost)...)
	must(t, err)
	return cost, m, grads
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func near(t testing.TB, what string, got, want, tol float64) {
	t.Helper()
	if diff := math.Abs(got - want); !(diff <= tol) {
		t.Errorf("%s: got %g, want %g, tolerance %g", what, got, want, tol)
	}
}

// reference computes a loss in float64 from its definition.
func (in batch) reference(objective string) float64 {
	same := func(i, j int) bool {
		return i == j || in.groups != nil && in.groups[i] == in.groups[j]
	}
	if in.teacher != nil {
		alone := in
		alone.teacher = nil
		return (1-in.share)*alone.reference(objective) + in.share*in.distillation()
	}
	if in.images != nil {
		return in.ofTexts(objective)
	}
	z := in.logit
	// Smoothed, a loss is mixed with its mean over all answers there are.
	smooth := func(loss, mean float64) float64 { return (1-in.smoothing)*loss + in.smoothing*mean }
	var sum float64
	for i := range in.b {
		if objective == "sigmoid" {
			for j := range in.b {
				yes := math.Log1p(math.Exp(-z(i, j) - float64(in.bias)))
				no := math.Log1p(math.Exp(z(i, j) + float64(in.bias)))
				answer := no
				if same(i, j) {
					answer = yes
				}
				sum += smooth(answer, (yes+no)/2)
			}
			continue
		}
		var rowZ, colZ, positives, right, all float64
		for j := range in.b {
			rowZ += math.Exp(z(i, j))
			colZ += math.Exp(z(j, i))
		}
		for j := range in.b {
			choices := (math.Log(rowZ) - z(i, j) + math.Log(colZ) - z(j, i)) / 2
			all += choices
			if same(i, j) {
				right += choices
				positives++
			}
		}
		sum += smooth(right/positives, all/float64(in.b))
	}
	return sum / float64(in.b)
}

// logit is that of image i and text j, without bias.
func (in batch) logit(i, j int) float64 {
	var s float64
	for k := range in.d {
		s += float64(in.image[i*in.d+k]) * float64(in.text[j*in.d+k])
	}
	return s * float64(in.scale)
}

// distillation is the mean over images and texts of −Σ p ln q, with p the
// teacher's probabilities of the answers and q the student's.
func (in batch) distillation() float64 {
	probability := func(z func(i, j int) float64, n, i, j int) float64 {
		var sum float64
		for k := range n {
			sum += math.Exp(z(i, k))
		}
		return math.Exp(z(i, j)) / sum
	}
	flip := func(z func(i, j int) float64) func(i, j int) float64 {
		return func(i, j int) float64 { return z(j, i) }
	}
	var sum float64
	for i := range in.b {
		for j := range in.texts() {
			sum -= probability(in.teacher.logit, in.texts(), i, j) * math.Log(probability(in.logit, in.texts(), i, j)) / float64(in.b)
			sum -= probability(flip(in.teacher.logit), in.b, j, i) * math.Log(probability(flip(in.logit), in.b, j, i)) / float64(in.texts())
		}
	}
	return sum / 2
}

func TestDefinitionAndGradients(t *testing.T) {
	for _, c := range []struct {
		what, name string
		groups     []int32
		smoothing  float64
		share      float64
	}{
		{what: "distillation", name: "infonce", share: 1},
		{what: "infonce with distillation", name: "infonce", share: 0.3},
		{what: "smoothed sigmoid with distillation", name: "sigmoid", smoothing: 0.1, share: 0.7},
		{what: "infonce", name: "infonce"},
		{what: "sigmoid", name: "sigmoid"},
		{what: "grouped infonce", name: "infonce", groups: []int32{7, 1, 7, 2, 1, 7}},
		{what: "grouped sigmoid", name: "sigmoid", groups: []int32{7, 1, 7, 2, 1, 7}},
		{what: "smoothed infonce", name: "infonce", smoothing: 0.1},
		{what: "smoothed sigmoid", name: "sigmoid", smoothing: 0.1},
		{what: "grouped and smoothed infonce", name: "infonce", groups: []int32{7, 1, 7, 2, 1, 7}, smoothing: 0.3},
		{what: "grouped and smoothed sigmoid", name: "sigmoid", groups: []int32{7, 1, 7, 2, 1, 7}, smoothing: 0.3},
	} {
		in, name := random(3, 6, 5, 4), c.name
		in.groups, in.smoothing = c.groups, c.smoothing
		if in.share = c.share; in.share > 0 {
			teacher := random(9, 6, 3, 7)
			in.teacher = &teacher
		}
		t.Run(c.what, func(t *testing.T) {
			in.checkGradients(t, name, func(name string) float64 { return in.reference(name) })
		})
	}
}

// checkGradients compares a loss and its gradients with a definition in float64 and its central
// differences.
func (in *batch) checkGradients(t *testing.T, name string, reference func(objective string) float64) {
	t.Helper()
	got := in.run(t, name)
	near(t, "loss", got.cost, reference(name), 2e-6)
	check := func(what string, x, grad []float32) {
		for i := range x {
			// A step of 2⁻⁶ is exact in float32; the reference works in float64.
			const h = 1.0 / 64
			v := x[i]
			difference := func(h float32) float64 {
				x[i] = v + h
				up := reference(name)
				x[i] = v - h
				down := reference(name)
				x[i] = v
				return (up - down) / (2 * float64(h))
			}
			// Richardson's step removes the error of second order.
			want := (4*difference(h/2) - difference(h)) / 3
			near(t, fmt.Sprintf("gradient of %s[%d]", what, i), float64(grad[i]), want, 3e-5)
		}
	}
	check("image", in.image, got.image)
	check("text", in.text, got.text)
	scalar := func(what string, p *float32, grad float32) {
		x := []float32{*p}
		difference := func(h float32) float64 {
			*p = x[0] + h
			up := reference(name)
			*p = x[0] - h
			down := reference(name)
			*p = x[0]
			return (up - down) / (2 * float64(h))
		}
		near(t, "gradient of "+what, float64(grad), (4*difference(1./128)-difference(1./64))/3, 1e-5)
	}
	scalar("scale", &in.scale, got.scale[0])
	if got.biasG != nil {
		scalar("bias", &in.bias, got.biasG[0])
	}
}

func TestScaleZeroIsChance(t *testing.T) {
	for _, b := range []int{1, 2, 7, 64} {
		near(t, fmt.Sprintf("InfoNCE of %d pairs at scale 0", b), random(1, b, 8, 0).run(t, "infonce").cost, math.Log(float64(b)), 1e-6)
	}
}

func TestSymmetry(t *testing.T) {
	for _, objective := range []string{"infonce", "sigmoid"} {
		a := random(2, 16, 8, 10)
		b := a
		b.image, b.text = a.text, a.image
		x, y := a.run(t, objective), b.run(t, objective)
		near(t, objective+" with its arguments exchanged", y.cost, x.cost, 1e-6)
		for i := range x.image {
			near(t, "its gradient", float64(y.text[i]), float64(x.image[i]), 1e-6)
		}
	}
}

func TestPermutation(t *testing.T) {
	const b, d = 16, 8
	perm := rand.New(rand.NewPCG(5, 5)).Perm(b)
	for _, objective := range []string{"infonce", "sigmoid"} {
		in := random(4, b, d, 10)
		p := in
		p.image, p.text = make([]float32, b*d), make([]float32, b*d)
		for i, j := range perm {
			copy(p.image[i*d:][:d], in.image[j*d:])
			copy(p.text[i*d:][:d], in.text[j*d:])
		}
		near(t, objective+" with the pairs permuted", p.run(t, objective).cost, in.run(t, objective).cost, 1e-6)
	}
}

// TestGroupsOfOne reduces the grouped losses to the plain ones, bit for bit.
func TestGroupsOfOne(t *testing.T) {
	for _, objective := range []string{"infonce", "sigmoid"} {
		in := random(6, 5, 8, 10)
		plain := in.run(t, objective)
		in.groups = []int32{9, 4, 2, 0, -1}
		grouped := in.run(t, objective)
		near(t, objective, grouped.cost, plain.cost, 0)
		for i := range plain.image {
			near(t, "its gradient", float64(grouped.image[i]), float64(plain.image[i]), 0)
		}
	}
}

// TestOneGroup has nothing to tell apart: InfoNCE's optimum is ln B, reached by
// equal embeddings, where its gradient vanishes.
func TestOneGroup(t *testing.T) {
	in := random(6, 4, 8, 10)
	in.groups = make([]int32, 4)
	for i := range 4 {
		copy(in.image[i*8:][:8], in.image[:8])
		copy(in.text[i*8:][:8], in.text[:8])
	}
	got := in.run(t, "infonce")
	near(t, "loss", got.cost, math.Log(4), 1e-6)
	for i := range got.image {
		near(t, "gradient", float64(got.image[i]), 0, 1e-6)
	}
}

// TestSmoothingByHand: where the pairs' embeddings are the axes, a logit is s on
// the diagonal and 0 elsewhere, and the losses can be written down.
func TestSmoothingByHand(t *testing.T) {
	const b, s, eps, bias = 4, 3.0, 0.2, -1.0
	in := batch{b: b, d: b, image: make([]float32, b*b), scale: s, bias: bias, smoothing: eps}
	for i := range b {
		in.image[i*b+i] = 1
	}
	in.text = in.image
	near(t, "infonce", in.run(t, "infonce").cost, math.Log(math.Exp(s)+b-1)-s*(1-eps+eps/b), 1e-6)
	softplus := func(x float64) float64 { return math.Log1p(math.Exp(x)) }
	near(t, "sigmoid", in.run(t, "sigmoid").cost,
		softplus(s+bias)-(1-eps/2)*(s+bias)+(b-1)*(softplus(bias)-eps/2*bias), 1e-6)
}

// TestSmoothedScaleZeroIsChance: at scale 0 all answers are alike, and no target
// is closer to them than another.
func TestSmoothedScaleZeroIsChance(t *testing.T) {
	in := random(1, 7, 8, 0)
	in.smoothing, in.groups = 0.3, []int32{1, 2, 1, 3, 1, 2, 4}
	near(t, "InfoNCE of 7 pairs at scale 0", in.run(t, "infonce").cost, math.Log(7), 1e-6)
}

// TestDistillation: a student that is its teacher's equal has no gradient and
// the teacher's entropy as its loss, the least there is; a teacher without doubt
// is InfoNCE; and at scale 0 the loss is ln B whatever the teacher.
func TestDistillation(t *testing.T) {
	in := random(3, 6, 5, 4)
	twin := in
	in.teacher, in.share = &twin, 1
	equal := in.run(t, "infonce")
	for i, g := range append(append([]float32{}, equal.image...), equal.text...) {
		near(t, fmt.Sprintf("the equal's gradient %d", i), float64(g), 0, 1e-7)
	}
	other := random(4, 6, 5, 4)
	other.teacher, other.share = &twin, 1
	if got := other.run(t, "infonce").cost; !(got > equal.cost) {
		t.Errorf("another student's loss is %g, want above the equal's, %g", got, equal.cost)
	}
	sure := batch{b: 6, d: 6, image: make([]float32, 36), scale: 100}
	for i := range 6 {
		sure.image[7*i] = 1
	}
	sure.text = sure.image
	plain := in
	plain.teacher = nil
	in.teacher = &sure
	near(t, "of a sure teacher", in.run(t, "infonce").cost, plain.run(t, "infonce").cost, 1e-6)
	in.scale = 0
	near(t, "at scale 0", in.run(t, "infonce").cost, math.Log(6), 1e-6)
}

// TestLargeScale is CLIP's clamp, 100, where a naive exponential overflows.
func TestLargeScale(t *testing.T) {
	for _, objective := range []string{"infonce", "sigmoid"} {
		in := random(8, 32, 4, 100)
		got := in.run(t, objective)
		near(t, objective+" at scale 100", got.cost, in.reference(objective), 1e-4)
		for i, g := range got.image {
			if math.IsNaN(float64(g)) || math.IsInf(float64(g), 0) {
				t.Fatalf("%s at scale 100: gradient %d is %g", objective, i, g)
			}
		}
	}
}

func TestBadInput(t *testing.T) {
	g := G.NewGraph()
	a, b := leaf(g, "a", make([]float32, 6), 2, 3), leaf(g, "b", make([]float32, 9), 3, 3)
	scale := leaf(g, "s", []float32{1}, 1)
	in := func(image, text, bias *G.Node, targets loss.Targets) loss.Input {
		return loss.Input{Image: image, Text: text, Scale: scale, Bias: bias, Targets: targets}
	}
	for _, c := range []struct {
		want string
		loss loss.Loss
		in   loss.Input
	}{
		{"loss: InfoNCE: groups has shape (3), want (2)", loss.InfoNCE{}, in(a, a, nil, loss.Targets{Groups: leaf(g, "g", make([]float32, 3), 3)})},
		{"loss: Teacher: its own image embeddings has shape (3, 3), want (2, 3)", loss.Teacher{Image: b, Text: b, Scale: scale}, in(a, a, nil, loss.Targets{})},
		{"loss: Sigmoid: label smoothing is 1, want 0 to below 1", loss.Sigmoid{}, in(a, a, scale, loss.Targets{Smoothing: 1})},
		{"loss: InfoNCE: text embeddings has shape (3, 3), want (2, 3)", loss.InfoNCE{}, in(a, b, nil, loss.Targets{})},
		{"loss: Sigmoid: the model has no logit bias, which SigLIP's loss needs", loss.Sigmoid{}, in(a, a, nil, loss.Targets{})},
		{"loss: Sigmoid: the model has no logit bias, which SigLIP's loss needs", loss.Mix(0.5, loss.InfoNCE{}, loss.Sigmoid{}), in(a, a, nil, loss.Targets{})},
	} {
		if _, err := c.loss.Forward(c.in); err == nil || err.Error() != c.want {
			t.Errorf("got error %v, want %s", err, c.want)
		}
	}
}

// TestChance: what each says of itself is its value where all logits are one, for a
// sigmoid that of the prior's.
func TestChance(t *testing.T) {
	const b, smoothing = 7, 0.2
	in := random(1, b, 8, 0)
	in.smoothing = smoothing
	near(t, "infonce", loss.InfoNCE{}.Chance(b, smoothing), in.run(t, "infonce").cost, 1e-6)
	prior := (1-smoothing)/b + smoothing/2
	in.bias = float32(math.Log(prior / (1 - prior)))
	near(t, "sigmoid", loss.Sigmoid{}.Chance(b, smoothing), in.run(t, "sigmoid").cost, 1e-5)
	teacher := random(2, b, 3, 5)
	in.teacher, in.share = &teacher, 0.3
	mixed := loss.Mix(0.3, loss.Sigmoid{}, loss.Teacher{})
	near(t, mixed.Name(), mixed.(loss.Chancer).Chance(b, smoothing), in.run(t, "sigmoid").cost, 1e-5)
	if got, want := mixed.Name(), "0.7 sigmoid + 0.3 teacher"; got != want {
		t.Errorf("the name is %q, want %q", got, want)
	}
	for _, f := range []loss.Loss{loss.Mix(0.3, loss.InfoNCE{}, loss.Teacher{}), loss.Mix(0.3, loss.InfoNCE{}, strange{})} {
		want := math.Log(b)
		if f.Name() != "0.7 infonce + 0.3 teacher" {
			want = 0 // not known
		}
		near(t, f.Name(), f.(loss.Chancer).Chance(b, smoothing), want, 0)
	}
}

// strange is a loss that does not know its chance.
type strange struct{}

func (strange) Name() string                           { return "strange" }
func (strange) Forward(in loss.Input) (*G.Node, error) { return in.Scale, nil }

// TestGolden compares with open_clip's ClipLoss and SigLipLoss.
func TestGolden(t *testing.T) {
	f, err := safetensors.Open(golden.Fixtures(t, "gradients", "losses.safetensors"))
	must(t, err)
	defer f.Close()
	read := func(name string) []float32 {
		info, ok := f.Info(name)
		if !ok {
			t.Fatalf("%s is missing", name)
		}
		n := 1
		for _, d := range info.Shape {
			n *= d
		}
		x := make([]float32, n)
		must(t, f.Float32(name, x))
		return x
	}
	// A cosine's last place is worth scale/2²⁴ as a logit.
	compare := func(t *testing.T, scale float32, what string, got, want []float32) {
		t.Helper()
		for i := range want {
			near(t, fmt.Sprintf("%s[%d]", what, i), float64(got[i]), float64(want[i]), max(1e-6, 4*float64(scale)/(1<<24))+2e-6*math.Abs(float64(want[i])))
		}
	}
	cases := 0
	for _, name := range f.Names() {
		var kind, id string
		if n, _ := fmt.Sscanf(name, "infonce.%s", &id); n == 1 {
			kind = "infonce"
		} else if n, _ := fmt.Sscanf(name, "siglip.%s", &id); n == 1 {
			kind = "siglip"
		}
		const suffix = ".image_features"
		if kind == "" || len(id) < len(suffix) || id[len(id)-len(suffix):] != suffix || id[:4] == "grad" {
			continue
		}
		prefix := name[:len(name)-len("image_features")]
		cases++
		t.Run(prefix, func(t *testing.T) {
			info, _ := f.Info(name)
			in := batch{b: info.Shape[0], d: info.Shape[1], image: read(name), text: read(prefix + "text_features"), scale: read(prefix + "logit_scale_exp")[0]}
			objective := "infonce"
			if kind == "siglip" {
				objective, in.bias = "sigmoid", read(prefix + "logit_bias")[0]
			}
			got := in.run(t, objective)
			compare(t, in.scale, "loss", []float32{float32(got.cost)}, read(prefix+"loss"))
			compare(t, in.scale, "image gradient", got.image, read(prefix+"grad_image_features"))
			compare(t, in.scale, "text gradient", got.text, read(prefix+"grad_text_features"))
			compare(t, in.scale, "scale gradient", got.scale, read(prefix+"grad_logit_scale_exp"))
			if objective == "sigmoid" {
				compare(t, in.scale, "bias gradient", got.biasG, read(prefix+"grad_logit_bias"))
			}
		})
	}
	if cases == 0 {
		t.Fatal("no case found")
	}
}
