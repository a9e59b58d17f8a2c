package eval

import (
	"math"

	"github.com/goclip/goclip/internal/enum"
)

// Convention says what a right answer of retrieval is, and how ties count. Its text is
// "equal-texts", "plain", "clip_benchmark" or "open_clip".
type Convention uint8

// Conventions of retrieval.
const (
	// ConventionEqualTexts counts captions of the same words as one: each is a right
	// answer for all images that have it, stands once in the list that an image is
	// compared with, and all its images are right answers for it. A right answer ranks
	// after wrong ones of the same score.
	ConventionEqualTexts Convention = iota
	// ConventionPlain counts only an image's own captions, and a caption's own image:
	// the same words of another image are a wrong answer, of the same score, after which
	// the right one ranks.
	ConventionPlain
	// ConventionCLIPBenchmark is CLIP_benchmark's: as [ConventionPlain], but of answers
	// with the same score the earlier in the set ranks first. Its text_retrieval_recall is
	// ImageToText, its image_retrieval_recall TextToImage.
	ConventionCLIPBenchmark
	// ConventionOpenCLIP is that of open_clip's training: every caption with its image is
	// a pair, each image and each caption of which is a query whose only right answer is
	// the other; an image with five captions is there five times. Of answers with the
	// same score the earlier ranks first.
	ConventionOpenCLIP
)

func conventionNames() map[Convention]string {
	return map[Convention]string{
		ConventionEqualTexts: "equal-texts", ConventionPlain: "plain", ConventionCLIPBenchmark: "clip_benchmark", ConventionOpenCLIP: "open_clip",
	}
}

func (c Convention) String() string { return enum.String(c, conventionNames()) }

// MarshalText returns the name; an invalid Convention is an error.
func (c Convention) MarshalText() ([]byte, error) { return enum.Marshal(c, conventionNames()) }

// UnmarshalText parses a name; an unknown one is an error.
func (c *Convention) UnmarshalText(text []byte) error {
	return enum.Unmarshal(c, text, conventionNames())
}

// captions are all captions of a set, in its order.
type captions struct {
	texts []string // the different ones
	of    []int    // place in texts of each caption
	owner []int    // image of each caption
	first []int    // each image's first caption; one more for the end
	uses  [][]int  // captions of each text
}

func newCaptions(all [][]string) *captions {
	c := &captions{}
	index := make(map[string]int)
	for image, list := range all {
		c.first = append(c.first, len(c.of))
		for _, text := range list {
			i, ok := index[text]
			if !ok {
				i = len(c.texts)
				index[text] = i
				c.texts, c.uses = append(c.texts, text), append(c.uses, nil)
			}
			c.uses[i] = append(c.uses[i], len(c.of))
			c.of, c.owner = append(c.of, i), append(c.owner, image)
		}
	}
	c.first = append(c.first, len(c.of))
	return c
}

// outcome is how many wrong answers stand before each query's first right one.
type outcome struct {
	*captions
	convention Convention
	texts      []int // of images, or of the images of pairs; -1 for an image without captions
	images     []int // of captions
}

func newOutcome(convention Convention, images int, c *captions) *outcome {
	queries := images
	if convention == ConventionOpenCLIP {
		queries = len(c.of)
	}
	return &outcome{captions: c, convention: convention, texts: make([]int, queries), images: make([]int, len(c.of))}
}

// toText takes the scores of an image with all texts.
func (o *outcome) toText(image int, sim []float32) {
	own := o.of[o.first[image]:o.first[image+1]]
	if len(own) == 0 {
		if o.convention != ConventionOpenCLIP {
			o.texts[image] = -1
		}
		return
	}
	best, at := float32(math.Inf(-1)), 0
	for i, text := range own {
		if sim[text] > best {
			best, at = sim[text], o.first[image]+i
		}
	}
	rank := 0
	switch o.convention {
	case ConventionEqualTexts:
		right := make(map[int]bool, len(own))
		for _, text := range own {
			right[text] = true
		}
		for text, s := range sim {
			if s >= best && !right[text] {
				rank++
			}
		}
	case ConventionOpenCLIP:
		for i, text := range own {
			o.texts[o.first[image]+i] = o.before(sim, sim[text], o.first[image]+i)
		}
		return
	case ConventionCLIPBenchmark:
		rank = o.before(sim, best, at)
	default:
		for c, text := range o.of {
			if sim[text] >= best && o.owner[c] != image {
				rank++
			}
		}
	}
	o.texts[image] = rank
}

// before counts the captions that rank before the one at a place, which has the score s.
func (o *outcome) before(sim []float32, s float32, place int) (n int) {
	for c, text := range o.of {
		if sim[text] > s || sim[text] == s && c < place {
			n++
		}
	}
	return n
}

// toImage takes the scores of a text with all images.
func (o *outcome) toImage(text int, sim []float32) {
	right := make(map[int]bool, len(o.uses[text]))
	best := float32(math.Inf(-1))
	for _, c := range o.uses[text] {
		right[o.owner[c]] = true
		best = max(best, sim[o.owner[c]])
	}
	equal := 0 // rank where all images of the text are right
	if o.convention == ConventionEqualTexts {
		for image, s := range sim {
			if s >= best && !right[image] {
				equal++
			}
		}
	}
	for _, c := range o.uses[text] {
		if o.images[c] = equal; o.convention == ConventionEqualTexts {
			continue
		}
		own, rank := sim[o.owner[c]], 0
		for image, s := range sim {
			switch o.convention {
			case ConventionOpenCLIP:
				pairs := o.first[image+1] - o.first[image]
				if s == own {
					pairs = min(max(c-o.first[image], 0), pairs)
				}
				if s >= own {
					rank += pairs
				}
			case ConventionCLIPBenchmark:
				if s > own || s == own && image < o.owner[c] {
					rank++
				}
			default:
				if s >= own && image != o.owner[c] {
					rank++
				}
			}
		}
		o.images[c] = rank
	}
}
