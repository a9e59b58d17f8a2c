package encoder_test

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/letters"
	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/vision"
)

// CNN is the family of a caller's own image tower: one convolution, the mean of its
// pixels, and a projection.
type CNN struct {
	Side, Width, EmbedDim int
	Panics                string `json:",omitempty"` // where
	Returns               string `json:",omitempty"` // what is wrong with its features
}

func (CNN) Family() string { return "cnn" }

func (c CNN) Validate() error {
	if c.Side < 4 || c.Width < 1 || c.EmbedDim < 1 {
		return fmt.Errorf("cnn: %+v, want a Side of 4 or more and positive numbers", c)
	}
	return nil
}

func (c CNN) Dims() vision.Dims {
	return vision.Dims{ImageSize: [2]int{c.Side, c.Side}, EmbedDim: c.EmbedDim, Tokens: c.Side * c.Side / 4}
}

func (c CNN) New() (vision.Tower, error) {
	if c.Panics == "New" {
		panic("out of tune")
	}
	if c.Returns == "no tower" {
		return nil, nil
	}
	return &cnn{c, nn.NewParam("visual.conv.weight", c.Width, 3, 3, 3).Uniform(0.2), nn.NewLinear("visual.head", c.Width, c.EmbedDim)}, nil
}

type cnn struct {
	cfg  CNN
	conv *nn.Param
	head *nn.Linear
}

func (c *cnn) Config() vision.Config { return c.cfg }

func (c *cnn) Params() []*nn.Param { return append([]*nn.Param{c.conv}, c.head.Params()...) }

func (c *cnn) Forward(in vision.Input) (features *G.Node, err error) {
	defer nn.Catch(&err, "cnn")
	if c.cfg.Panics == "Forward" {
		panic("out of tune")
	}
	x := nn.ReLU(nn.Conv2D(nn.ChannelsLast(in.Pixels), c.conv.Node(in.Pixels.Graph()), 2, 1)) // (B, S/2, S/2, W)
	features = c.head.Forward(nn.SpatialMean(x))                                              // (B, D)
	switch c.cfg.Returns {
	case "nothing":
		return nil, nil
	case "other shape":
		return G.Transpose(features)
	case "other kind":
		return G.ConvType(features, G.Float32, G.Float64)
	case "other graph":
		return G.NewTensor(G.NewGraph(), G.Float32, 2, G.WithShape(features.Shape()...)), nil
	}
	return features, nil
}

// TestWrongTowers: what a tower returns is checked before it is taken for features.
func TestWrongTowers(t *testing.T) {
	for returns, want := range map[string]string{
		"no tower":    "encoder: Vision.New returned no tower",
		"nothing":     "encoder: image tower: no features",
		"other shape": "encoder: image tower: the features have shape (16, 2), want (2, 16)",
		"other kind":  "encoder: image tower: the features are float64, want float32",
		"other graph": "encoder: image tower: the features belong to another graph than its input",
	} {
		cfg := ownConfig()
		cfg.Vision = CNN{Side: 16, Width: 4, EmbedDim: 16, Returns: returns}
		m, err := encoder.New(cfg, nil, 1)
		if err == nil {
			_, err = m.EncodeImages(context.Background(), someImages(2)...)
		}
		fails(t, want, err)
	}
}

// TestClosedPart: a joined model does not outlive its parts.
func TestClosedPart(t *testing.T) {
	ctx := context.Background()
	dir := filepath.Join(t.TempDir(), "model")
	check(t, storable(t).Save(dir))
	var parts [2]*encoder.Model
	for i := range parts {
		var err error
		parts[i], err = encoder.Load(dir, nil)
		check(t, err)
	}
	joined, err := encoder.Join(parts[0], parts[1])
	check(t, err)
	_, err = joined.EncodeImages(ctx, someImages(1)...)
	check(t, err)
	check(t, parts[0].Close())
	_, err = joined.EncodeImages(ctx, someImages(1)...)
	if !errors.Is(err, encoder.ErrClosed) {
		t.Errorf("got error %v, want ErrClosed", err)
	}
	if _, err := encoder.Join(parts[0], parts[1]); !errors.Is(err, encoder.ErrClosed) {
		t.Errorf("joining a closed model: got error %v, want ErrClosed", err)
	}
	check(t, joined.Close())
	twice, err := encoder.Load(dir, nil)
	check(t, err)
	joined, err = encoder.Join(twice, twice)
	check(t, err)
	_, err = joined.EncodeImages(ctx, someImages(1)...)
	check(t, err)
	check(t, joined.Close())
}

func ownConfig() encoder.Config {
	cfg := config()
	cfg.Vision = CNN{Side: 16, Width: 4, EmbedDim: 16}
	cfg.Preprocess = vision.CLIPPreprocess(16)
	return cfg
}

func ownFamily() *encoder.Options {
	return &encoder.Options{Tokenizer: letters.Tokenizer{}, Families: encoder.Families{Vision: []vision.Config{CNN{}}}}
}

// TestOwnTower: a tower of the caller's own is saved in goclip's own layout and read
// again where its family is given, to the same bits; elsewhere its family is named.
func TestOwnTower(t *testing.T) {
	ctx := context.Background()
	m := model(t, ownConfig())
	m.Params()[len(m.Params())-1].Data[0] = 0.5
	check(t, m.CanSave())
	dir := filepath.Join(t.TempDir(), "model")
	check(t, m.Save(dir))
	again, err := encoder.Load(dir, ownFamily())
	check(t, err)
	defer again.Close()
	if got, want := again.Config().Vision, m.Config().Vision; got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	want, err := m.EncodeImages(ctx, someImages(5)...)
	check(t, err)
	got, err := again.EncodeImages(ctx, someImages(5)...)
	check(t, err)
	same(t, "images", got.Data, want.Data)
	if got, want := again.Fingerprint(), m.Fingerprint(); got != want {
		t.Errorf("fingerprint %s, want %s", got, want)
	}
	_, err = encoder.Load(dir, &encoder.Options{Tokenizer: letters.Tokenizer{}})
	fails(t, `family "cnn" is not known, only vit, resnet`, err)
	fails(t, "layout open_clip has no place for an image tower of family cnn", m.SaveAs(filepath.Join(t.TempDir(), "m"), encoder.OpenCLIP))
	fails(t, "layout huggingface has no place for an image tower of family cnn", m.SaveAs(filepath.Join(t.TempDir(), "m"), encoder.HuggingFace))
	check(t, m.AddLoRA(encoder.LoRA{Rank: 2, Targets: []string{"visual.head.weight"}}, 1))
	if n := len(m.Adapters()); n != 2 {
		t.Errorf("%d adapters, want 2", n)
	}
}

// TestOneTower: a model of one tower embeds what that tower reads, is saved and read
// again, and two of them join.
func TestOneTower(t *testing.T) {
	ctx := context.Background()
	both := config()
	images, texts := both, both
	images.Text = nil
	texts.Vision, texts.Preprocess = nil, nil
	var halves [2]*encoder.Model
	for i, cfg := range []encoder.Config{images, texts} {
		m, err := encoder.New(cfg, letters.Tokenizer{}, 1)
		check(t, err)
		dir := filepath.Join(t.TempDir(), "half")
		check(t, m.Save(dir))
		halves[i], err = encoder.Load(dir, &encoder.Options{Tokenizer: letters.Tokenizer{}})
		check(t, err)
	}
	_, err := halves[0].EncodeTexts(ctx, "a")
	fails(t, "the model has no text tower", err)
	_, err = halves[1].EncodeImages(ctx, someImages(1)...)
	fails(t, "the model has no image tower", err)
	_, err = encoder.Join(halves[1], halves[0])
	fails(t, "want a model with an image tower", err)
	joined, err := encoder.Join(halves[0], halves[1])
	check(t, err)
	whole := model(t, both)
	want, err := whole.EncodeImages(ctx, someImages(3)...)
	check(t, err)
	got, err := joined.EncodeImages(ctx, someImages(3)...)
	check(t, err)
	same(t, "images", got.Data, want.Data)
	want, err = whole.EncodeTexts(ctx, "ab", "c")
	check(t, err)
	got, err = joined.EncodeTexts(ctx, "ab", "c")
	check(t, err)
	same(t, "texts", got.Data, want.Data)
	check(t, joined.Close())
	if _, err := halves[0].EncodeImages(ctx, someImages(1)...); !errors.Is(err, encoder.ErrClosed) {
		t.Errorf("the image tower's model is open after the joined one was closed: %v", err)
	}
}

// unsaved is a tokenizer without a method Save.
type unsaved struct{ text.Config }

func (unsaved) Encode(dst []int32, s string) (int, bool) { return letters.Tokenizer{}.Encode(dst, s) }
func (unsaved) VocabSize() int                           { return letters.Tokenizer{}.VocabSize() }

// TestOwnTokenizer: a tokenizer of the caller's own is saved by its own method, and
// asked for when the model is loaded; one without that method is refused.
func TestOwnTokenizer(t *testing.T) {
	m, err := encoder.New(config(), unsaved{}, 1)
	check(t, err)
	fails(t, "the tokenizer, a encoder_test.unsaved, has no method Save(dir string) error", m.Save(t.TempDir()))
	fails(t, "cannot be saved: the tokenizer", m.CanSave())
	dir := filepath.Join(t.TempDir(), "model")
	check(t, model(t, config()).Save(dir))
	_, err = encoder.Load(dir, nil)
	fails(t, "saved with a custom tokenizer, which the layout does not hold: set Options.Tokenizer", err)
}

// TestClosed: what needs the weights of a closed or nil model is an error, also beside
// running passes.
func TestClosed(t *testing.T) {
	ctx := context.Background()
	dir := filepath.Join(t.TempDir(), "model")
	check(t, storable(t).Save(dir))
	m, err := encoder.Load(dir, nil)
	check(t, err)
	classifier, err := m.NewClassifier(ctx, []string{"red", "blue"})
	check(t, err)
	var wg sync.WaitGroup
	for range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range 20 {
				if _, err := m.EncodeImages(ctx, someImages(2)...); err != nil && !errors.Is(err, encoder.ErrClosed) {
					t.Errorf("beside Close: %v", err)
				}
			}
		}()
	}
	check(t, m.Close())
	wg.Wait()
	check(t, m.Close())
	for what, f := range map[string]func() error{
		"EncodeImages":  func() error { _, err := m.EncodeImages(ctx, someImages(1)...); return err },
		"EncodeTexts":   func() error { _, err := m.EncodeTexts(ctx, "a"); return err },
		"ImageFeatures": func() error { _, err := m.ImageFeatures(ctx, nil); return err },
		"TextFeatures":  func() error { _, err := m.TextFeatures(ctx, nil); return err },
		"NewClassifier": func() error { _, err := m.NewClassifier(ctx, []string{"a"}); return err },
		"Classify":      func() error { _, err := classifier.Classify(ctx, someImages(1)[0]); return err },
		"Save":          func() error { return m.Save(t.TempDir()) },
		"AddLoRA":       func() error { return m.AddLoRA(encoder.LoRA{Rank: 1}, 1) },
		"MergeLoRA":     func() error { return m.MergeLoRA() },
		"SaveLoRA":      func() error { return m.SaveLoRA(filepath.Join(t.TempDir(), "lora")) },
		"LoadLoRA":      func() error { return m.LoadLoRA(filepath.Join(t.TempDir(), "lora")) },
	} {
		if err := f(); !errors.Is(err, encoder.ErrClosed) {
			t.Errorf("%s: got %v, want ErrClosed", what, err)
		}
	}
	if f := m.Fingerprint(); f != "" {
		t.Errorf("a closed model has the fingerprint %s", f)
	}
	var none *encoder.Model
	_, err = none.EncodeImages(ctx, someImages(1)...)
	fails(t, "the model is nil", err)
	_, err = none.EncodeTexts(ctx, "a")
	fails(t, "the model is nil", err)
	check(t, none.Close())
}

// hostile is an image and a tokenizer that panic.
type hostile struct{}

func (hostile) ColorModel() color.Model            { return color.RGBAModel }
func (hostile) Bounds() image.Rectangle            { return image.Rect(0, 0, 8, 8) }
func (hostile) At(int, int) color.Color            { panic("out of tune") }
func (hostile) Encode([]int32, string) (int, bool) { panic("out of tune") }
func (hostile) VocabSize() int                     { return 10 }

// miscounting is a tokenizer that says and writes other things than it may.
type miscounting struct {
	unsaved
	n  int
	id int32
}

func (m miscounting) Encode(dst []int32, s string) (int, bool) {
	_, truncated := m.unsaved.Encode(dst, s)
	dst[1] = m.id
	return m.n, truncated
}

// TestWrongCounts: a count or an id that cannot be is an error that names the caption.
func TestWrongCounts(t *testing.T) {
	for want, tok := range map[string]miscounting{
		`encoder: text 1: tokenizer: caption "a dog": it gave 99 tokens, want 0 to 12`:                               {n: 99},
		`encoder: text 1: tokenizer: caption "a dog": it gave -1 tokens, want 0 to 12`:                               {n: -1},
		`encoder: text 1: tokenizer: caption "a dog": id 130 at position 1 is outside the vocabulary of 130`:         {n: 3, id: 130},
		`encoder: text 1: tokenizer: caption "a dog": id -2147483648 at position 1 is outside the vocabulary of 130`: {n: 3, id: -1 << 31},
	} {
		cfg := config()
		m, err := encoder.New(cfg, onlyDogs{tok}, 1)
		check(t, err)
		_, err = m.EncodeTexts(context.Background(), "a cat", "a dog")
		fails(t, want, err)
		_, err = m.NewClassifier(context.Background(), []string{"cat", "dog"}, "a {}")
		fails(t, want, err)
		_, err = m.Tokenize(make([]int32, cfg.Text.Dims().ContextLength), "a dog")
		fails(t, want[len("encoder: text 1: "):], err)
		_, err = m.Tokenize(make([]int32, 3), "a cat")
		fails(t, "encoder: room for 3 token ids, want the context length, 12", err)
	}
}

// onlyDogs miscounts them alone.
type onlyDogs struct{ miscounting }

func (o onlyDogs) Encode(dst []int32, s string) (int, bool) {
	if s == "a dog" {
		return o.miscounting.Encode(dst, s)
	}
	return o.unsaved.Encode(dst, s)
}

// TestPanics: a panic of the caller's image, decoder, tokenizer or tower is an error
// that says which it was, and where.
func TestPanics(t *testing.T) {
	ctx := context.Background()
	m := model(t, config())
	imgs := someImages(3)
	imgs[1] = hostile{}
	tuneless := func(what string, err error) {
		t.Helper()
		fails(t, what, err)
		fails(t, "out of tune", err)
		if err != nil && !strings.Contains(err.Error(), "own_test.go") {
			t.Errorf("%s: no stack: %v", what, err)
		}
	}
	_, err := m.EncodeImages(ctx, imgs...)
	tuneless("image 1", err)
	_, err = m.EncodeImagesFunc(ctx, 3, func(i int) (image.Image, error) {
		if i == 2 {
			panic("out of tune")
		}
		return imgs[0], nil
	})
	tuneless("image 2", err)
	_, err = m.EncodeImages(ctx, nil, imgs[0])
	fails(t, "image 0", err)
	m, err = encoder.New(config(), hostile{}, 1)
	check(t, err)
	_, err = m.EncodeTexts(ctx, "a")
	tuneless("text 0: tokenizer", err)
	cfg := ownConfig()
	cfg.Vision = CNN{Side: 16, Width: 4, EmbedDim: 16, Panics: "New"}
	_, err = encoder.New(cfg, nil, 1)
	tuneless("towers", err)
	cfg.Vision = CNN{Side: 16, Width: 4, EmbedDim: 16, Panics: "Forward"}
	m, err = encoder.New(cfg, nil, 1)
	check(t, err)
	_, err = m.EncodeImages(ctx, imgs[0])
	tuneless("image tower", err)
}
