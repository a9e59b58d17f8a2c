package loss

import (
	"slices"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/nn"
)

// Targets says which combinations of a batch are right answers, and with what
// probability. The zero value is CLIP's: each image's own text and each text's
// own image, without label smoothing.
type Targets struct {
	// Groups, (B) int32, where not nil, is for batches in which several pairs share
	// a caption or class: it holds the group number of each image, and the texts of all
	// images of one group are right answers for each of them. An image alone in its
	// group is an ordinary one.
	Groups *G.Node
	// Images, (N) int32, where not nil, holds for each text the row of the image that it
	// describes, -1 where it is wrong for all of them: a hard negative (Yuksekgonul et al.,
	// 2023). Several texts may describe one image; an image without a text is no question,
	// only an answer.
	Images *G.Node
	// Shares, (N), where not nil, holds the probability of each text to be right for its
	// image, 0 to 1. Of a choice among texts, each right one has its part of their sum;
	// as an image's question, a text counts as much.
	Shares *G.Node
	// Smoothing, from 0 to below 1, is label smoothing: the probability spread
	// evenly over all answers (Szegedy et al., 2016), as PyTorch's label_smoothing.
	Smoothing float64
}

func (t Targets) check(name string, b, n int) {
	if t.Groups != nil {
		nn.WantShape(name, "groups", t.Groups, b)
	}
	if t.Images != nil {
		nn.WantShape(name, "images of texts", t.Images, n)
	}
	if t.Shares != nil {
		nn.WantShape(name, "shares of texts", t.Shares, n)
	}
	if !(t.Smoothing >= 0 && t.Smoothing < 1) {
		nn.Fail(name, "label smoothing is %g, want 0 to below 1", t.Smoothing)
	}
}

// inputs appends what there is of the targets to an op's inputs and pullbacks.
func (t Targets) inputs(in []*G.Node, back []nn.Pullback) ([]*G.Node, []nn.Pullback) {
	for _, node := range []*G.Node{t.Groups, t.Images, t.Shares} {
		if node != nil {
			in, back = append(in, node), append(back, nn.Pullback{})
		}
	}
	return in, back
}

// right is the targets of a pass: who is right for whom.
type right struct {
	b, n      int
	smoothing float64
	group     []int32   // of each image, among groups
	of        []int32   // the group for which each text is right, -1 for none
	share     []float64 // of each text
	groups    []members
	shares    float64 // Σ of the texts of groups
}

// members are the images and texts of a group, and Σ of the texts' shares.
type members struct {
	images, texts []int32
	shares        float64
}

// resolve reads the targets from the inputs that were appended.
func (t Targets) resolve(appended nn.Inputs, b, n int) *right {
	r := &right{b: b, n: n, smoothing: t.Smoothing, group: make([]int32, b), of: make([]int32, n), share: make([]float64, n)}
	var group, image []int32
	var share []float32
	next := 0
	if t.Groups != nil {
		group, next = appended.I32(next), next+1
	}
	if t.Images != nil {
		image, next = appended.I32(next), next+1
	}
	if t.Shares != nil {
		share = appended.F32(next)
	}
	number := make(map[int32]int32, b)
	for i := range b {
		g := int32(i)
		if group != nil {
			g = group[i]
		}
		at, known := number[g]
		if !known {
			at = int32(len(r.groups))
			number[g] = at
			r.groups = append(r.groups, members{})
		}
		r.group[i] = at
		r.groups[at].images = append(r.groups[at].images, int32(i))
	}
	for j := range n {
		i := j
		if image != nil {
			i = int(image[j])
		}
		if r.of[j], r.share[j] = -1, 0; i < 0 || i >= b {
			continue
		}
		if r.share[j] = 1; share != nil {
			r.share[j] = float64(share[j])
		}
		g := &r.groups[r.group[i]]
		r.of[j] = r.group[i]
		g.texts, g.shares = append(g.texts, int32(j)), g.shares+r.share[j]
		r.shares += r.share[j]
	}
	return r
}

// texts are those that are right for image i.
func (r *right) texts(i int) []int32 { return r.groups[r.group[i]].texts }

// pair says that image i has one right text, for which it is the one right image.
func (r *right) pair(i int) bool {
	g := &r.groups[r.group[i]]
	return len(g.images) == 1 && len(g.texts) == 1 && g.shares > 0
}

// asks is what image i's choice counts, of 1 for all images.
func (r *right) asks(i int) float64 {
	if r.groups[r.group[i]].shares == 0 {
		return 0
	}
	return 1 / float64(r.b)
}

// weight is what text j's choice counts, of 1 for all texts.
func (r *right) weight(j int) float64 {
	if r.share[j] == 0 {
		return 0
	}
	return r.share[j] / r.shares
}

// target is that of image i's choice and of text j's, which is right for it, as they count in
// a loss that is the mean of the two directions, without what is smoothed.
func (r *right) target(i int, j int32) float64 {
	g := &r.groups[r.group[i]]
	if g.shares == 0 {
		return 0
	}
	return (1 - r.smoothing) / 2 * (r.asks(i)*r.share[j]/g.shares + r.weight(int(j))/float64(len(g.images)))
}

// places are the right texts of the images for which wanted is true.
func (r *right) places(wanted func(i int) bool) places {
	p := places{start: make([]int32, r.b+1)}
	for i := range r.b {
		if wanted(i) {
			p.text = append(p.text, r.texts(i)...)
		}
		p.start[i+1] = int32(len(p.text))
	}
	p.value = make([]float64, len(p.text))
	return p
}

// ofImage lists the texts that are right for image i, and their shares.
func (r *right) ofImage(i int) (texts []int32, shares []float64) {
	texts = slices.Clone(r.texts(i))
	for _, j := range texts {
		shares = append(shares, r.share[j])
	}
	return texts, shares
}

// ofText lists the images for which text j is right, with its share.
func (r *right) ofText(j int) (images []int32, shares []float64) {
	if r.of[j] < 0 {
		return nil, nil
	}
	images = slices.Clone(r.groups[r.of[j]].images)
	for range images {
		shares = append(shares, r.share[j])
	}
	return images, shares
}
