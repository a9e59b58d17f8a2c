package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"math"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/eval"
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// clouds are the features of n images of each class, around a centre each.
func clouds(classes []string, n int) *eval.Features {
	rng := rand.New(rand.NewPCG(1, 1))
	f := &eval.Features{Images: &encoder.Embeddings{Dim: 5}}
	for c, name := range classes {
		for i := range n {
			row := make([]float64, 5)
			for j := range row {
				row[j] = rng.NormFloat64() * 0.4
			}
			row[c%5]++
			norm := 0.0
			for _, v := range row {
				norm += v * v
			}
			for _, v := range row {
				f.Images.Data = append(f.Images.Data, float32(v/math.Sqrt(norm)))
			}
			f.Images.N++
			f.Keys, f.Labels = append(f.Keys, fmt.Sprintf("%s/%d.png", name, i)), append(f.Labels, name)
		}
	}
	return f
}

// full is a report with every part, its classes named with care for nothing.
func full(t *testing.T) *Report {
	t.Helper()
	classes := []string{"cat", "dog", "<b>owl</b> & co.", "a class whose name is far too long for any axis"}
	f := clouds(classes, 40)
	f.Skipped = []error{errors.New(`eval: set: 404.png: not an image: starts with "<html><script>alert(1)</script>"`)}
	r := &Report{Title: `A model, "quoted" <i>and</i> all`, Facts: []Fact{{"model", "toy & co."}, {"images", "160"}}}
	knn, err := f.KNN(t.Context(), clouds(classes, 9), nil)
	check(t, err)
	probe, err := eval.FitProbe(t.Context(), clouds(classes, 9), nil, &eval.ProbeOptions{L2: 1})
	check(t, err)
	linear, err := probe.Classify(f)
	check(t, err)
	r.Results = []Result{{"nearest neighbours", knn}, {"linear probe", linear}}
	r.Retrieval = &eval.Retrieval{
		Images: 160, Captions: 800, Different: 790, ImageToText: map[int]float64{1: 0.25, 5: 0.5, 10: 0.625}, TextToImage: map[int]float64{1: 0.125, 5: 0.375, 10: 0.5},
	}
	for i := range 900 {
		r.Loss = append(r.Loss, Point{i, 1 + 4*math.Exp(-float64(i)/200) + 0.2*math.Sin(float64(i)), math.Log(128)})
	}
	for i := 100; i <= 900; i += 100 {
		r.Tests = append(r.Tests, Test{i, map[string]float64{"top1": 0.6 - 40/float64(i+100), "top5": 0.9 - 20/float64(i+100)}})
	}
	var h Hardest
	for i := range 30 {
		h.Add(mistake(fmt.Sprint(i), classes[i%4], classes[(i+1)%4], float64(i)/100, 10+7*i))
	}
	r.Mistakes = h.Mistakes()
	r.Map, err = NewMap(f)
	check(t, err)
	return r
}

// mistake is an image of the given side that is not taken for what it is.
func mistake(key, label, predicted string, own float64, side int) (dataset.Pair, []encoder.Prediction) {
	img := image.NewNRGBA(image.Rect(0, 0, side, side))
	for i := range img.Pix {
		img.Pix[i] = uint8(i*7) | 255*uint8(i%4/3)
	}
	return dataset.Pair{Key: key, Label: label, Image: img},
		[]encoder.Prediction{{Label: predicted, Probability: 1 - own}, {Label: label, Probability: own}}
}

func html(t *testing.T, r *Report) string {
	t.Helper()
	var b bytes.Buffer
	check(t, r.WriteHTML(&b))
	return b.String()
}

// TestPageIsSelfContained: nothing on the page refers to anything but itself,
// runs, or could leave its place in the text.
func TestPageIsSelfContained(t *testing.T) {
	page := html(t, full(t))
	for _, m := range regexp.MustCompile(`(?i)(?:src|href|action|data|srcset|poster)\s*=\s*"([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if !strings.HasPrefix(m[1], "data:") {
			t.Errorf("the page refers to %q", m[1])
		}
	}
	text := regexp.MustCompile(`"data:[^"]*"`).ReplaceAllString(page, "") // images may spell anything
	for _, never := range []string{"<script", "url(", "@import", "http:", "https:", "<b>owl", "<i>and", "NaN", "Inf", "ZgotmplZ", "%!"} {
		if strings.Contains(text, never) {
			t.Errorf("the page contains %q", never)
		}
	}
	for _, part := range []string{
		`http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'"`,
		"<title>A model, &#34;quoted&#34; &lt;i&gt;and&lt;/i&gt; all</title>", "Training loss", "Tests on the way", "Classification", "Retrieval", "Accuracy by class",
		"Confusion", "Calibration", "Most frequent mistakes", "The hardest mistakes", "Map of the embeddings", "Left out", "Only 790 captions differ",
		"&lt;b&gt;owl&lt;/b&gt; &amp; co.", "62.5\u2009%", "starts with &#34;&lt;html&gt;&lt;script&gt;",
	} {
		if !strings.Contains(page, part) {
			t.Errorf("the page lacks %q", part)
		}
	}
	if !IsPage([]byte(page)) || IsPage([]byte("<!DOCTYPE html><title>A page of somebody's</title>")) {
		t.Error("IsPage takes a page for another's, or another's for one")
	}
	if page != html(t, full(t)) {
		t.Error("two pages of one report differ")
	}
}

// TestPartsMayBeMissing: every part alone makes a page, without the titles of
// the others.
func TestPartsMayBeMissing(t *testing.T) {
	all := full(t)
	for title, r := range map[string]*Report{
		"":                      {},
		"What was measured":     {Facts: all.Facts},
		"Training loss":         {Loss: all.Loss},
		"Tests on the way":      {Tests: all.Tests},
		"Retrieval":             {Retrieval: all.Retrieval},
		"The hardest mistakes":  {Mistakes: all.Mistakes},
		"Map of the embeddings": {Map: &Map{Spots: []Spot{{Key: "alone"}}}},
	} {
		r.Title = "t"
		var titles []string
		for _, m := range regexp.MustCompile(`<h2>(.*?)</h2>`).FindAllStringSubmatch(html(t, r), -1) {
			titles = append(titles, m[1])
		}
		want := []string{title}
		if title == "" {
			want = nil
		}
		if !slices.Equal(titles, want) {
			t.Errorf("sections %q, want %q", titles, want)
		}
	}
	// An image that is gone, and a set of hundreds of classes.
	many := make([]string, 300)
	for i := range many {
		many[i] = fmt.Sprintf("class %03d", i)
	}
	f := clouds(many, 2)
	knn, err := f.KNN(t.Context(), f, nil)
	check(t, err)
	page := html(t, &Report{Title: "t", Results: []Result{{"k-NN", knn}}, Mistakes: []Mistake{{Key: "gone"}}})
	if strings.Contains(page, "Confusion<") || !strings.Contains(page, "the lowest 40 of 300 classes") {
		t.Error("300 classes are drawn as if they were few")
	}
}

// TestJSON: what is written can be read again, under its names.
func TestJSON(t *testing.T) {
	r := full(t)
	var b bytes.Buffer
	check(t, r.WriteJSON(&b))
	var got struct {
		Title   string
		Loss    []Point
		Results []struct {
			Name    string
			Figures struct {
				Accuracy  float64
				Confusion [][]int
				Skipped   []string
			}
		}
		Retrieval struct {
			ImageToText map[string]float64 `json:"image_to_text"`
		}
		Mistakes []Mistake
		Map      Map
	}
	check(t, json.Unmarshal(b.Bytes(), &got))
	if got.Title != r.Title || !slices.Equal(got.Loss, r.Loss) || !slices.Equal(got.Map.Spots, r.Map.Spots) || got.Retrieval.ImageToText["5"] != 0.5 {
		t.Errorf("title %q, %d losses, %d spots, retrieval %v", got.Title, len(got.Loss), len(got.Map.Spots), got.Retrieval)
	}
	if len(got.Mistakes) != 24 || got.Mistakes[3].Key != r.Mistakes[3].Key {
		t.Errorf("mistakes %v", got.Mistakes)
	}
	for i, res := range r.Results {
		if g := got.Results[i]; g.Name != res.Name || g.Figures.Accuracy != res.Accuracy() || len(g.Figures.Confusion) != 4 || len(g.Figures.Skipped) != 1 {
			t.Errorf("result %d: %+v, want %s with accuracy %g", i, g, res.Name, res.Accuracy())
		}
	}
}

func TestRefuses(t *testing.T) {
	nan := math.NaN()
	for want, r := range map[string]*Report{
		"report: Title is missing": {},
		"report: Loss[0] is step 0, loss NaN, chance 0: want finite numbers and rising steps": {Title: "t", Loss: []Point{{Loss: nan}}},
		"report: Tests[0]: top1 is NaN, want 0 to 1":                                          {Title: "t", Tests: []Test{{1, map[string]float64{"top1": nan}}}},
		"report: Tests[1] is step 3 after 3, want rising steps":                               {Title: "t", Tests: []Test{{Step: 3}, {Step: 3}}},
		"report: Loss[1] is step 3, loss 1, chance 2: want finite numbers and rising steps":   {Title: "t", Loss: []Point{{3, 1, 2}, {3, 1, 2}}},
		"report: Results[0] (probe) has no images":                                            {Title: "t", Results: []Result{{"probe", nil}}},
		"report: Map.Spots[0] is at NaN, 0":                                                   {Title: "t", Map: &Map{Spots: []Spot{{X: nan}}}},
		"report: Map has 0 spots that explain 0":                                              {Title: "t", Map: &Map{}},
	} {
		var b bytes.Buffer
		for name, err := range map[string]error{"HTML": r.WriteHTML(&b), "JSON": r.WriteJSON(&b)} {
			if err == nil || err.Error() != want || b.Len() > 0 {
				t.Errorf("%s: got %v and %d bytes, want %s", name, err, b.Len(), want)
			}
		}
	}
	for _, w := range []func(*Report) error{
		func(r *Report) error { return r.WriteHTML(fullDisk{}) }, func(r *Report) error { return r.WriteJSON(fullDisk{}) },
	} {
		if err := w(&Report{Title: "t"}); err == nil || err.Error() != "report: the disk is full" {
			t.Errorf("got %v, want the writer's error", err)
		}
	}
}

// fullDisk is a writer to a full disk.
type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("the disk is full") }

// TestHardest keeps the mistakes with the least probable truth, the first of
// equal ones first, and no image that was got right.
func TestHardest(t *testing.T) {
	h := Hardest{K: 3}
	for i, own := range []float64{0.3, 0.1, 0.4, 0.1, 0.2, 0.05, 0.1} {
		h.Add(mistake(fmt.Sprint(i), "cat", "dog", own, 200+i))
	}
	h.Add(mistake("right", "cat", "cat", 0, 8))
	var keys []string
	for _, m := range h.Mistakes() {
		keys = append(keys, m.Key)
		if b := m.Image.Bounds(); b.Dx() != 128 || b.Dy() != 128 {
			t.Errorf("image %s is %v, want 128 a side", m.Key, b.Size())
		}
	}
	if want := []string{"5", "1", "3"}; !slices.Equal(keys, want) {
		t.Errorf("kept %v, want %v", keys, want)
	}
	if b := shrink(image.NewGray(image.Rect(5, 5, 305, 6))).Bounds(); b.Dx() != 128 || b.Dy() != 1 {
		t.Errorf("a strip is shrunk to %v, want 128 × 1", b.Size())
	}
}

// TestMapFindsTheDirections: points on a plane in five dimensions keep their
// distances, and the plane has all the variance.
func TestMapFindsTheDirections(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	const n = 50
	f := &eval.Features{Images: &encoder.Embeddings{N: n, Dim: 5}, Keys: make([]string, n), Labels: make([]string, n)}
	for range n {
		a, b := rng.NormFloat64(), 0.5*rng.NormFloat64()
		f.Images.Data = append(f.Images.Data, float32(0.6*a), float32(0.8*a), 0.25, float32(-b), 0)
	}
	m, err := NewMap(f)
	check(t, err)
	if !(math.Abs(m.Explained-1) <= 1e-9) {
		t.Errorf("the plane explains %g, want 1 within 1e-9", m.Explained)
	}
	for i := range n {
		for j := range i {
			want := 0.0
			for k := range 5 {
				d := float64(f.Images.Row(i)[k]) - float64(f.Images.Row(j)[k])
				want += d * d
			}
			want = math.Sqrt(want)
			if got := math.Hypot(m.Spots[i].X-m.Spots[j].X, m.Spots[i].Y-m.Spots[j].Y); !(math.Abs(got-want) <= 1e-6) {
				t.Fatalf("images %d and %d are %g apart, want %g within 1e-6", i, j, got, want)
			}
		}
	}
	few := clouds([]string{"a"}, 2)
	if _, err := NewMap(few); err == nil || err.Error() != "report: a map of 2 images with embeddings of 5 numbers, want 3 and 2 at least" {
		t.Errorf("two images: %v", err)
	}
	large, err := NewMap(clouds([]string{"a", "b"}, 1000))
	check(t, err)
	if len(large.Spots) != 1500 || large.Spots[1499].Key != "b/998.png" {
		t.Errorf("%d spots, the last %v, want 1500 over the whole set", len(large.Spots), large.Spots[len(large.Spots)-1])
	}
}

// TestTicks are round, inside the axis, and at their values' places.
func TestTicks(t *testing.T) {
	for _, c := range []struct {
		low, high float64
		n         int
		want      string
	}{
		{0, 1, 5, "0.0@0 0.2@20 0.4@40 0.6@60 0.8@80 1.0@100"},
		{0, 1799, 6, "0@0 500@28 1000@56 1500@83"},
		{-0.03, 0.02, 5, "-0.03@0 -0.02@20 -0.01@40 0.00@60 0.01@80 0.02@100"},
		{2, 2, 5, "2@50"},
		{3.2, 4.9, 4, "3.5@18 4.0@47 4.5@76"},
	} {
		var got []string
		for _, k := range (axis{c.low, c.high, 0, 100}).ticks(c.n) {
			got = append(got, fmt.Sprintf("%s@%.0f", k.Text, k.At))
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%g to %g: %s, want %s", c.low, c.high, s, c.want)
		}
	}
}

// TestSmoothEnd: the curve of a noisy loss ends at its mean, not at the last step.
func TestSmoothEnd(t *testing.T) {
	var points []Point
	for i := range 101 {
		points = append(points, Point{Step: i, Loss: float64(i % 2)})
	}
	for _, i := range []int{60, 99, 100} {
		if got := around(points, i, 10); !(math.Abs(got-0.5) <= 0.05) {
			t.Errorf("point %d of 101: %g, want 0.5 ± 0.05", i, got)
		}
	}
	if got := around(points, 0, 10); got != 0 {
		t.Errorf("the first point: %g, want 0, its own", got)
	}
}
