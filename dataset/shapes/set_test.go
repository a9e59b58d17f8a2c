package shapes

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"image"
	"image/color"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/goclip/goclip/dataset"
)

func mustMake(t testing.TB, _ *dataset.Indexed, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func mustPair(t testing.TB, s dataset.Sample) (dataset.Pair, *image.RGBA) {
	t.Helper()
	p, err := s.Pair(0)
	if err != nil {
		t.Fatalf("sample %s: %v", s.Key, err)
	}
	return p, p.Image.(*image.RGBA)
}

// TestSetGolden holds captions and pixels to what the drawn set has been
// since its first version, with two figures since they come in fours, on
// whatever machine this runs.
func TestSetGolden(t *testing.T) {
	for relations, want := range map[float64]string{
		0:   "dee231e347ea9cafa02adae28b0409e64a519b80bcdc749920be20f267eeaa58",
		0.3: "1ad128c54ebe600aac606ee4442eee939fc0f6321f7b8e7208586f959862a5aa",
	} {
		sum := sha256.New()
		for _, size := range []int{32, 64} {
			set := Set{Size: size, Seed: 7, Relations: relations}
			train, err := set.Train(200)
			mustMake(t, train, err)
			for i := range train.Len() {
				p, img := mustPair(t, train.At(i))
				fmt.Fprintln(sum, p.Key, p.Caption, p.Label)
				sum.Write(img.Pix)
			}
		}
		if got := hex.EncodeToString(sum.Sum(nil)); got != want {
			t.Errorf("Relations %g: SHA-256 of 400 samples is %s, want %s", relations, got, want)
		}
	}
}

func TestSetSampleIsFunctionOfItsNumber(t *testing.T) {
	set := Set{Seed: 3, Relations: 0.5}
	short, err := set.Train(50)
	mustMake(t, short, err)
	long, err := set.Train(5000)
	mustMake(t, long, err)
	for i := 49; i >= 0; i-- {
		a, aImg := mustPair(t, short.At(i))
		b, bImg := mustPair(t, long.At(i))
		if a.Caption != b.Caption || a.Label != b.Label || !slices.Equal(aImg.Pix, bImg.Pix) {
			t.Fatalf("sample %d differs between a set of 50 and one of 5000: %q, %q", i, a.Caption, b.Caption)
		}
	}
	other, err := Set{Seed: 4, Relations: 0.5}.Train(50)
	mustMake(t, other, err)
	same := 0
	for i := range 50 {
		if short.At(i).Captions[0] == other.At(i).Captions[0] {
			same++
		}
	}
	if same > 10 {
		t.Errorf("%d of 50 captions are the same under another seed, want nearly none", same)
	}
}

func TestSetHeldOut(t *testing.T) {
	set := Set{Seed: 1, Relations: 0.5}
	held, classes := set.HeldOut(), set.Classes()
	if len(held) != 8 || len(classes) != 64 {
		t.Fatalf("%d classes held out of %d, want 8 of 64", len(held), len(classes))
	}
	words := map[string]int{}
	for _, name := range held {
		for _, w := range strings.Fields(name) {
			words[w]++
		}
	}
	for w, n := range words {
		if n != 1 {
			t.Errorf("%q is held out %d times, want once", w, n)
		}
	}
	if len(words) != 16 {
		t.Errorf("%d colours and shapes are held out, want all 16", len(words))
	}

	src, err := set.Train(20000)
	mustMake(t, src, err)
	seen, couples := map[string]int{}, 0
	for i := range src.Len() {
		s := src.At(i)
		for _, name := range held {
			if strings.Contains(s.Captions[0], name) {
				t.Fatalf("training sample %d shows %q, which is held out: %q", i, name, s.Captions[0])
			}
		}
		if s.Label == "" {
			couples++
		}
		seen[s.Label]++
	}
	if len(seen) != 57 {
		t.Errorf("%d labels in training, want 56 and none", len(seen))
	}
	if couples < 9500 || couples > 10500 {
		t.Errorf("%d of 20000 samples show two objects, want about half", couples)
	}
}

// TestSetFours: of four training samples of two figures, the colours, the
// shapes and the axis are the same, and each is another scene.
func TestSetFours(t *testing.T) {
	train, err := Set{Seed: 2, Relations: 0.5}.Train(2000)
	mustMake(t, train, err)
	fours := 0
	for i := 0; i < train.Len(); i += 4 {
		scenes, bags := map[string]bool{}, map[string]bool{}
		for j := range 4 {
			s := train.At(i + j)
			if (s.Label == "") != (train.At(i).Label == "") {
				t.Fatalf("samples %d and %d: one shows two figures, the other one", i, i+j)
			}
			if s.Label == "" {
				scene, bag := meaning(t, s.Captions[0])
				scenes[scene], bags[bag] = true, true
			}
		}
		if len(scenes) > 0 {
			fours++
			if len(scenes) != 4 || len(bags) != 1 {
				t.Errorf("samples %d to %d: scenes %v of the words %v, want four of the same", i, i+3, scenes, bags)
			}
		}
	}
	if fours < 200 {
		t.Errorf("%d fours of 500, want about half", fours)
	}
}

// meaning reads a caption of two figures: what is above or left of what, and the
// sorted words of which that is made.
func meaning(t *testing.T, caption string) (scene, bag string) {
	t.Helper()
	for i, r := range relations {
		first, second, ok := strings.Cut(caption, " "+r.name+" ")
		if !ok {
			continue
		}
		figures := []string{named(first), named(second)}
		if i%2 == 1 {
			slices.Reverse(figures)
		}
		scene = figures[0] + " " + relations[i&^1].name + " " + figures[1]
		words := strings.Fields(scene)
		slices.Sort(words)
		return scene, strings.Join(words, " ")
	}
	t.Fatalf("no relation in %q", caption)
	return "", ""
}

// named returns the first combination that words name.
func named(words string) string {
	for _, name := range (Set{}).Classes() {
		if strings.Contains(words, name) {
			return name
		}
	}
	return ""
}

func TestSetCouples(t *testing.T) {
	set := Set{Seed: 1}
	couples, err := set.Couples(400)
	mustMake(t, couples, err)
	seen := map[string]int{}
	for i := range couples.Len() {
		s := couples.At(i)
		meaning(t, s.Captions[0])
		for _, name := range set.HeldOut() {
			if s.Label != "" || strings.Contains(s.Captions[0], name) {
				t.Errorf("sample %d: %q, labelled %q: want two combinations of training and no label", i, s.Captions[0], s.Label)
			}
		}
		for _, r := range relations {
			if strings.Contains(s.Captions[0], " "+r.name+" ") {
				seen[r.name]++
			}
		}
	}
	for _, r := range relations {
		if seen[r.name] < 60 {
			t.Errorf("%q comes up %d times in 400, want about 100", r.name, seen[r.name])
		}
	}
}

func TestSetTestSetsAreBalanced(t *testing.T) {
	set := Set{Seed: 1}
	known, err := set.Known(560)
	mustMake(t, known, err)
	unseen, err := set.Unseen(80)
	mustMake(t, unseen, err)
	held := set.HeldOut()
	for _, c := range []struct {
		name    string
		src     *dataset.Indexed
		classes int
		held    bool
	}{{"known", known, 56, false}, {"unseen", unseen, 8, true}} {
		count := map[string]int{}
		for i := range c.src.Len() {
			count[c.src.At(i).Label]++
		}
		if len(count) != c.classes {
			t.Errorf("%s: %d classes, want %d", c.name, len(count), c.classes)
		}
		for label, n := range count {
			if n != 10 || slices.Contains(held, label) != c.held {
				t.Errorf("%s: %q occurs %d times, want 10; held out: %v", c.name, label, n, slices.Contains(held, label))
			}
		}
	}
}

// TestSetShowTheirColour counts pixels of the very colour that the label
// names, and of the others.
func TestSetShowTheirColour(t *testing.T) {
	for _, size := range []int{32, 64} {
		known, err := Set{Size: size, Seed: 5}.Known(560)
		mustMake(t, known, err)
		for i := range known.Len() {
			p, img := mustPair(t, known.At(i))
			for c := range colorCount {
				n, limit := 0, size*size/100
				for k := 0; k < len(img.Pix); k += 4 {
					paint := c.Paint()
					if img.Pix[k] == paint.R && img.Pix[k+1] == paint.G && img.Pix[k+2] == paint.B {
						n++
					}
				}
				if has := strings.HasPrefix(p.Label, c.String()); has && n < limit || !has && n > 0 {
					t.Fatalf("%d px, sample %d, a %s: %d pixels of %v, want %d or more of its own and 0 of others", size, i, p.Label, n, c, limit)
				}
			}
		}
	}
}

// TestSetColoursAreApart measures CIELAB distances (76); about 2.3 is just
// noticeable, and JPEG or noise moves a colour by less than 20.
func TestSetColoursAreApart(t *testing.T) {
	var grounds []color.NRGBA
	d := newComposer(1, 99, 0)
	for range 2000 {
		g, _ := d.ground()
		grounds = append(grounds, g.From, g.To)
	}
	for a := range colorCount {
		for b := range a {
			if d := labDistance(a.Paint(), b.Paint()); !(d >= 30) {
				t.Errorf("%v and %v are %.0f apart, want 30", a, b, d)
			}
		}
		for _, g := range grounds {
			if d := labDistance(a.Paint(), g); !(d >= 30) {
				t.Fatalf("%v and the ground %v are %.0f apart, want 30", a, g, d)
			}
		}
	}
}

func labDistance(a, b color.NRGBA) float64 {
	p, q := lab(a), lab(b)
	return math.Hypot(math.Hypot(p[0]-q[0], p[1]-q[1]), p[2]-q[2])
}

func lab(c color.NRGBA) [3]float64 {
	linear := func(v uint8) float64 {
		x := float64(v) / 255
		if x <= 0.04045 {
			return x / 12.92
		}
		return math.Pow((x+0.055)/1.055, 2.4)
	}
	r, g, b := linear(c.R), linear(c.G), linear(c.B)
	f := func(t float64) float64 {
		if t > 216.0/24389 {
			return math.Cbrt(t)
		}
		return (24389.0/27*t + 16) / 116
	}
	x := f((0.4124*r + 0.3576*g + 0.1805*b) / 0.9505)
	y := f(0.2126*r + 0.7152*g + 0.0722*b)
	z := f((0.0193*r + 0.1192*g + 0.9505*b) / 1.089)
	return [3]float64{116*y - 16, 500 * (x - y), 200 * (y - z)}
}

// TestSetCaptionsAreTrue checks the words for place, tone and relation
// against the centre of the coloured pixels.
func TestSetCaptionsAreTrue(t *testing.T) {
	train, err := Set{Seed: 11, Relations: 0.3}.Train(3000)
	mustMake(t, train, err)
	checked := map[string]int{}
	check := func(word string, caption string, ok bool) {
		if strings.Contains(caption, word) {
			checked[word]++
			if !ok {
				t.Errorf("%q is not true", caption)
			}
		}
	}
	for i := range train.Len() {
		p, img := mustPair(t, train.At(i))
		c := p.Caption
		check("dark", c, img.Pix[0] < 100)
		check("light", c, img.Pix[0] > 150)
		if p.Label == "" {
			for _, r := range relations {
				if first, second, ok := strings.Cut(c, " "+r.name+" "); ok {
					x1, y1 := centre(img, first)
					x2, y2 := centre(img, second)
					checked[r.name]++
					if (x1-x2)*r.dx < 0 || (y1-y2)*r.dy < 0 || math.Hypot(x1-x2, y1-y2) < 12 {
						t.Errorf("%q is not true: (%.1f, %.1f) and (%.1f, %.1f)", c, x1, y1, x2, y2)
					}
				}
			}
			continue
		}
		x, y := centre(img, c)
		check("at the top", c, y < 15)
		check("at the bottom", c, y > 16)
		check("at the left", c, x < 15 && y > 10 && y < 21)
		check("top right", c, x > 17)
		check("in the centre", c, x > 13 && x < 18 && y > 12 && y < 20)
	}
	for _, word := range []string{"dark", "light", "above", "below", "left of", "right of", "at the top", "at the bottom", "at the left", "top right", "in the centre"} {
		if checked[word] < 20 {
			t.Errorf("%q came up in %d captions, want 20", word, checked[word])
		}
	}
}

// centre returns the mean place of the pixels of the colour that words name.
func centre(img *image.RGBA, words string) (x, y float64) {
	n := 0.0
	for c := range colorCount {
		if !strings.Contains(words, c.String()+" ") {
			continue
		}
		for py := range img.Rect.Dy() {
			for px := range img.Rect.Dx() {
				if color.NRGBA(img.RGBAAt(px, py)) == c.Paint() {
					x, y, n = x+float64(px), y+float64(py), n+1
				}
			}
		}
	}
	return x / n, y / n
}

func TestSetBadConfig(t *testing.T) {
	for _, c := range []struct {
		set  Set
		n    int
		want string
	}{
		{Set{}, 0, "shapes: 0 samples, want 1 or more"},
		{Set{Size: 8}, 1, "shapes: Size 8, want 16 to 512"},
		{Set{Size: 1 << 20}, 1, "shapes: Size 1048576, want 16 to 512"},
		{Set{Relations: 1.5}, 1, "shapes: Relations 1.5, want 0 to 1"},
		{Set{Relations: math.NaN()}, 1, "shapes: Relations NaN, want 0 to 1"},
	} {
		if _, err := c.set.Train(c.n); err == nil || err.Error() != c.want {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}

func BenchmarkSet(b *testing.B) {
	for _, size := range []int{32, 64} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			src, err := Set{Size: size}.Train(1 << 20)
			mustMake(b, src, err)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if _, err := src.At(i % src.Len()).Pair(0); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "images/s")
		})
	}
}
