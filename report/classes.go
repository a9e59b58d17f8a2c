package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/goclip/goclip/eval"
)

// bar is the accuracy on one class.
type bar struct {
	Name     string
	N        int
	Accuracy float64
	Percent  float64
}

// shownBars is the number of classes whose accuracy is drawn.
const shownBars = 40

// bars returns the classes that have images, the best first; of more than
// shownBars the worst only.
func bars(c *eval.Classification) []bar {
	var list []bar
	for i, name := range c.Classes {
		if accuracy, n := c.Class(i); n > 0 {
			list = append(list, bar{name, n, accuracy, 100 * accuracy})
		}
	}
	slices.SortStableFunc(list, func(a, b bar) int { return cmp.Compare(b.Accuracy, a.Accuracy) })
	return list[max(0, len(list)-shownBars):]
}

// matrix is the confusion matrix: rows are what images are, columns what they
// were taken for, a colour the share of its row.
type matrix struct {
	Width, Height float64
	Top, Left     float64
	Cell          float64
	Names         []name
	Cells         []cell
	Counts        bool // are written into the cells
}

type name struct {
	Text string
	At   float64 // the middle of its row, or its column's, from the corner
}

type cell struct {
	X, Y     float64
	Share    string // opacity
	Count    int
	Dark     bool // so that the count has to be light
	Diagonal bool
	Text     string
}

// shownClasses is the largest matrix that can be read.
const shownClasses = 40

func newMatrix(c *eval.Classification) *matrix {
	n := len(c.Classes)
	if n < 2 || n > shownClasses {
		return nil
	}
	m := &matrix{Cell: 36, Counts: n <= 12}
	if n > 12 {
		m.Cell = max(12, 432/float64(n))
	}
	longest := 0
	for i, text := range c.Classes {
		text = short(text, 18)
		longest = max(longest, len([]rune(text)))
		m.Names = append(m.Names, name{text, (float64(i) + 0.5) * m.Cell})
	}
	m.Left = 14 + 7*float64(longest)
	m.Top = m.Left*0.75 + 8
	for i, row := range c.Confusion {
		_, all := c.Class(i)
		for j, k := range row {
			if k == 0 {
				continue
			}
			share := float64(k) / float64(all)
			m.Cells = append(m.Cells, cell{
				X: m.Left + float64(j)*m.Cell, Y: m.Top + float64(i)*m.Cell,
				Share: fmt.Sprintf("%.3f", 0.04+0.96*share), Count: k, Dark: share > 0.5, Diagonal: i == j,
				Text: fmt.Sprintf("%s taken for %s: %d of %d", c.Classes[i], c.Classes[j], k, all),
			})
		}
	}
	m.Width, m.Height = m.Left+float64(n)*m.Cell+m.Top*0.6, m.Top+float64(n)*m.Cell+4
	return m
}

// short cuts a text at n characters.
func short(text string, n int) string {
	if r := []rune(text); len(r) > n {
		return strings.TrimSpace(string(r[:n-1])) + "…"
	}
	return text
}

// confusion is one class taken for another.
type confusion struct {
	True, Predicted string
	N, All          int
	Share           float64
}

// confusions returns the most frequent mistakes.
func confusions(c *eval.Classification) []confusion {
	var list []confusion
	for i, row := range c.Confusion {
		_, all := c.Class(i)
		for j, k := range row {
			if i != j && k > 0 {
				list = append(list, confusion{c.Classes[i], c.Classes[j], k, all, float64(k) / float64(all)})
			}
		}
	}
	slices.SortStableFunc(list, func(a, b confusion) int { return cmp.Compare(b.N, a.N) })
	return list[:min(len(list), 10)]
}

// reliability is the calibration as a diagram: accuracy over confidence.
type reliability struct {
	frame
	Bins     []column
	Diagonal string
	ECE      float64
}

type column struct {
	X, Y, Width, Height float64
	Text                string
}

func newReliability(c *eval.Calibration) *reliability {
	r := &reliability{frame: newFrame(360, 320, 44, 40), ECE: c.ECE()}
	x, y := r.horizontal(0, 1), r.vertical(0, 1)
	r.X, r.Y = x.ticks(5), y.ticks(5)
	r.Diagonal = line([][2]float64{{x.at(0), y.at(0)}, {x.at(1), y.at(1)}})
	n := float64(len(c.Bins))
	for i, b := range c.Bins {
		if b.N == 0 {
			continue
		}
		accuracy, confidence := float64(b.Right)/float64(b.N), b.Confidence/float64(b.N)
		left, right := x.at(float64(i)/n), x.at(float64(i+1)/n)
		r.Bins = append(r.Bins, column{left + 1, y.at(accuracy), right - left - 2, y.at(0) - y.at(accuracy),
			fmt.Sprintf("%d images, mean confidence %s, accuracy %s", b.N, percent(confidence), percent(accuracy))})
	}
	return r
}
