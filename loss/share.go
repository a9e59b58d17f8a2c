package loss

import (
	"github.com/goclip/goclip/internal/kernel"
	"github.com/goclip/goclip/internal/parallel"
	"github.com/goclip/goclip/nn"
)

// Share is for processes that all know the embeddings of a batch, and share the work of its
// loss: each goes over its own images with all texts, and over its own texts with all images
// (local_loss in open_clip), and tells the others the sums. Of the gradients by the embeddings each
// computes the rows of its own images and texts; others are 0. All that is computed has
// the bits that it has on one process.
type Share struct {
	Rank int
	// Process r has the images from Images[r] to before Images[r+1], and so with the texts.
	Images, Texts []int
	// Gather fills values with those of other processes: r has them from cuts[r] to before
	// cuts[r+1]. All call it as often, in one order.
	Gather func(values []float64, cuts []int) error
}

func (s *Share) check(name string, b, n int) {
	if s == nil {
		return
	}
	for what, c := range map[string]struct {
		cuts []int
		rows int
	}{"images": {s.Images, b}, "texts": {s.Texts, n}} {
		ok := s.Rank >= 0 && len(c.cuts) > s.Rank+1 && c.cuts[0] == 0 && c.cuts[len(c.cuts)-1] == c.rows
		for r := 1; ok && r < len(c.cuts); r++ {
			ok = c.cuts[r-1] <= c.cuts[r]
		}
		if !ok {
			nn.Fail(name, "the share of rank %d has %s cut at %v, want numbers from 0 to %d that do not fall, one more than there are ranks", s.Rank, what, c.cuts, c.rows)
		}
	}
	if s.Gather == nil || len(s.Images) != len(s.Texts) {
		nn.Fail(name, "the share has no Gather, or other numbers of ranks for images and for texts")
	}
}

// gather is Gather, which ends the pass where it fails.
func (s *Share) gather(cuts []int, lists ...[]float64) {
	for _, values := range lists {
		if err := s.Gather(values, cuts); err != nil {
			nn.Fail("Share", "the sums of other ranks: %v", err)
		}
	}
}

// divide makes the parts of a contrast that are this process's: its images with all texts, and all
// images with its texts.
func (c *contrast) divide(s *Share) {
	if c.share = s; s == nil {
		c.mine = [2]*contrast{c, c}
		return
	}
	images, texts := s.Images[s.Rank:][:2], s.Texts[s.Rank:][:2]
	c.mine = [2]*contrast{
		newContrast(images[1]-images[0], c.n, c.d),
		newContrast(c.b, texts[1]-texts[0], c.d),
	}
	c.mine[0].row, c.mine[1].column = images[0], texts[0]
}

// follow has the parts begin a pass with what the whole has begun.
func (c *contrast) follow() {
	for _, p := range c.mine {
		if p == c {
			return
		}
		p.image, p.text = c.image[p.row*c.d:][:p.b*c.d], c.text[p.column*c.d:][:p.n*c.d]
		p.unpack()
		p.scale, p.sign, p.held, p.pulled = c.scale, c.sign, -1, false
		p.apart = c.apart.cut(p.row, p.b, p.column, p.n)
	}
}

// cut is the places of some images and some texts, which are numbered from 0.
func (p places) cut(row, b, column, n int) places {
	q := places{start: make([]int32, b+1)}
	for i := range b {
		texts, values := p.of(row + i)
		for k, j := range texts {
			if j := int(j) - column; j >= 0 && j < n {
				q.text, q.value = append(q.text, int32(j)), append(q.value, values[k])
			}
		}
		q.start[i+1] = int32(len(q.text))
	}
	return q
}

// within are those of some texts that a part has, by its numbers.
func (c *contrast) within(texts []int32) (list []int32) {
	for _, j := range texts {
		if j := int(j) - c.column; j >= 0 && j < c.n {
			list = append(list, int32(j))
		}
	}
	return list
}

// sharedSums is sums of all, where each process goes over its parts.
func (c *contrast) sharedSums(also func(first, rows int, sim []float32)) *sums {
	s := newSums(c.b, c.n)
	images, texts := c.mine[0], c.mine[1]
	for first := 0; first < images.b; first += images.panel {
		rows, sim := images.similarities(first)
		s.rows(images.row+first, rows, c.n, sim, c.scale)
		also(images.row+first, rows, sim)
	}
	if texts.n > 0 {
		t := newSums(0, texts.n)
		for first := 0; first < texts.b; first += texts.panel {
			_, sim := texts.similarities(first)
			t.all(sim, c.scale)
		}
		t.end()
		copy(s.text[texts.column:], t.text)
	}
	c.share.gather(c.share.Images, s.image)
	c.share.gather(c.share.Texts, s.text)
	return s
}

// sharedPull is pull, where weighing makes a weigher of each part.
func (c *contrast) sharedPull(scale, unit float64, weighing func(part *contrast) weigher) {
	if c.dImage == nil {
		c.dImage, c.dText = kernel.Buffer(c.b*c.d), kernel.Buffer(c.n*c.d)
	}
	alpha := float32(scale * unit)
	scales, biases := make([]float64, c.b), make([]float64, c.b)
	images, texts := c.mine[0], c.mine[1]
	weigh := weighing(images)
	var packed *kernel.Packed
	if images.panel < images.b {
		packed = kernel.PackLent(kernel.NN, c.d, c.n, c.text, c.d)
		defer packed.Release()
	}
	for first := 0; first < images.b; first += images.panel {
		rows, grad := images.similarities(first)
		images.held = -1
		at := images.row + first
		parallel.For(rows, func(r int) { scales[at+r], biases[at+r] = weigh(first+r, grad[r*c.n:][:c.n]) })
		images.intoImages(rows, grad, alpha, packed, c.dImage[at*c.d:])
	}
	weigh = weighing(texts)
	for first := 0; first < texts.b && texts.n > 0; first += texts.panel {
		rows, grad := texts.similarities(first)
		texts.held = -1
		parallel.For(rows, func(r int) { weigh(first+r, grad[r*texts.n:][:texts.n]) })
		texts.intoTexts(first, rows, grad, alpha, c.dText[texts.column*c.d:])
	}
	images.unpack()
	texts.unpack()
	c.share.gather(c.share.Images, scales, biases)
	c.dScale, c.dBias = float64(c.sign)*unit*total(scales), unit*total(biases)
	c.pulled = true
}
