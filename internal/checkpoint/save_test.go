package checkpoint_test

import (
	"bytes"
	"image/color"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/goclip/goclip/internal/checkpoint"
	"github.com/goclip/goclip/internal/golden"
	"github.com/goclip/goclip/internal/safetensors"
	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/vision"
)

// TestSaveOpenIdentity: a saved model comes back with the same spec and the same
// bits, in every layout that can be written and for every setting it can hold.
func TestSaveOpenIdentity(t *testing.T) {
	type change func(s *checkpoint.Spec)
	for name, c := range map[string]struct {
		layout string
		change change
	}{
		"hf": {checkpoint.HuggingFace, func(*checkpoint.Spec) {}},
		"hf argmax": {checkpoint.HuggingFace, func(s *checkpoint.Spec) {
			transformer(s, func(c *text.Transformer) { c.Pool, c.EOSTokenID = text.PoolArgmax, 0 })
		}},
		"hf id 0": {checkpoint.HuggingFace, func(s *checkpoint.Spec) { transformer(s, func(c *text.Transformer) { c.EOSTokenID = 0 }) }},
		"hf two gelus": {checkpoint.HuggingFace, func(s *checkpoint.Spec) {
			vit(s, func(c *vision.ViT) { c.Activation = nn.GELU })
			transformer(s, func(c *text.Transformer) { c.Activation = nn.GELUTanh })
		}},
		"hf no processor": {checkpoint.HuggingFace, func(s *checkpoint.Spec) { s.Preprocess = nil }},
		"hf squash": {checkpoint.HuggingFace, func(s *checkpoint.Spec) {
			s.Preprocess.Resize, s.Preprocess.Interpolation = vision.ResizeSquash, vision.Bilinear
		}},
		"hf ground":        {checkpoint.HuggingFace, func(s *checkpoint.Spec) { s.Preprocess.Ground = color.RGBA{0, 128, 255, 255} }},
		"hf thirds":        {checkpoint.HuggingFace, func(s *checkpoint.Spec) { vit(s, func(c *vision.ViT) { c.MLPRatio = 7.0 / 12 }) }},
		"open_clip":        {checkpoint.OpenCLIP, func(*checkpoint.Spec) {}},
		"open_clip bias":   {checkpoint.OpenCLIP, func(s *checkpoint.Spec) { s.LogitBias, s.InitLogitBias = true, -10 }},
		"open_clip thirds": {checkpoint.OpenCLIP, func(s *checkpoint.Spec) { vit(s, func(c *vision.ViT) { c.MLPRatio = 7.0 / 12 }) }},
		"open_clip ground": {checkpoint.OpenCLIP, func(s *checkpoint.Spec) { s.Preprocess.Ground = color.RGBA{250, 128, 1, 255} }},
		"open_clip pad":    {checkpoint.OpenCLIP, func(s *checkpoint.Spec) { s.Preprocess.Resize, s.Preprocess.Fill = vision.ResizeLongest, 7 }},
		"open_clip gelus": {checkpoint.OpenCLIP, func(s *checkpoint.Spec) {
			vit(s, func(c *vision.ViT) { c.Activation = nn.GELUTanh })
			transformer(s, func(c *text.Transformer) { c.Activation = nn.GELU })
		}},
		"open_clip siglip": {checkpoint.OpenCLIP, func(s *checkpoint.Spec) {
			transformer(s, func(c *text.Transformer) { c.Proj, c.Mask, c.Pool = text.ProjLinear, text.MaskNone, text.PoolLast })
			s.CustomText, s.LogitBias = true, true
			vit(s, func(c *vision.ViT) { c.Pool, c.NormAfterPool, c.NoLnPre = vision.PoolMean, true, true })
			s.HFTokenizer, s.TextClean, s.StripSeparator = "some/tokenizer", "canonicalize", true
		}},
		"open_clip first": {checkpoint.OpenCLIP, func(s *checkpoint.Spec) {
			transformer(s, func(c *text.Transformer) { c.Pool, c.Mask = text.PoolFirst, text.MaskNone })
		}},
		"open_clip map": {checkpoint.OpenCLIP, func(s *checkpoint.Spec) {
			s.CustomText, s.LogitBias = true, true
			vit(s, func(c *vision.ViT) { c.Pool, c.PoolQueries, c.PoolHeads = vision.PoolMap, 3, 5 })
		}},
		"open_clip packed map": {checkpoint.OpenCLIP, func(s *checkpoint.Spec) {
			vit(s, func(c *vision.ViT) { c.Width, c.Heads = 10, 2 })
			vit(s, func(c *vision.ViT) { c.Pool, c.PoolQueries, c.PoolHeads, c.NoLnPre = vision.PoolMap, 1, 2, true })
		}},
		"own settings": {checkpoint.OpenCLIP, func(s *checkpoint.Spec) {
			transformer(s, func(c *text.Transformer) { c.Mask, c.Pool = text.MaskPadding, text.PoolMean })
			vit(s, func(c *vision.ViT) { c.Pool, c.NoClassToken = vision.PoolMean, true })
			vit(s, func(c *vision.ViT) { c.ImageSize = [2]int{16, 24} })
			s.Preprocess.Size = [2]int{16, 24}
		}},
		"resnet": {checkpoint.OpenCLIP, func(s *checkpoint.Spec) {
			s.Vision = vision.ResNet{ImageSize: [2]int{32, 64}, Width: 4, Heads: 8, EmbedDim: 10, Stages: [4]int{1, 2, 1, 1}}
			s.Preprocess.Size = s.Vision.Dims().ImageSize
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := tinySpec()
			c.change(&s)
			m := random(t, s)
			dir := filepath.Join(t.TempDir(), "a", "b")
			if err := save(dir, c.layout, s, m.params()); err != nil {
				t.Fatal(err)
			}
			ck, back := open(t, dir, nil)
			s.Layout = c.layout
			if got := ck.Spec(); !reflect.DeepEqual(got, s) {
				t.Errorf("spec:\n got %+v %+v\nwant %+v %+v", got, got.Preprocess, s, s.Preprocess)
			}
			sameParams(t, back.params(), m.params())
		})
	}
}

// TestSaveDefaultHeads: a ResNet that leaves its heads to the default is saved
// with them.
func TestSaveDefaultHeads(t *testing.T) {
	s := tinySpec()
	s.Vision = vision.ResNet{ImageSize: [2]int{32, 32}, Width: 4, EmbedDim: 10, Stages: [4]int{1, 1, 1, 1}}
	s.Preprocess.Size = s.Vision.Dims().ImageSize
	dir := t.TempDir()
	if err := save(dir, checkpoint.OpenCLIP, s, random(t, s).params()); err != nil {
		t.Fatal(err)
	}
	if c, _ := open(t, dir, nil); c.Spec().Vision.(vision.ResNet).Heads != 2 {
		t.Errorf("%d heads, want 2", c.Spec().Vision.(vision.ResNet).Heads)
	}
}

// TestGoldenSaveIdentity: the reference's checkpoints, saved in their own layout,
// have the same tensors under the same names, and their features.
func TestGoldenSaveIdentity(t *testing.T) {
	for _, name := range fixtures(t) {
		t.Run(name, func(t *testing.T) {
			from := golden.Fixtures(t, "checkpoints", name)
			c, m := open(t, from, nil)
			s := c.Spec()
			layout, weights := s.Layout, "model.safetensors"
			if layout != checkpoint.HuggingFace {
				layout, weights = checkpoint.OpenCLIP, "open_clip_model.safetensors"
			}
			dir := t.TempDir()
			if err := save(dir, layout, s, m.params()); err != nil {
				t.Fatal(err)
			}
			_, back := open(t, dir, nil)
			sameParams(t, back.params(), m.params())
			checkFeatures(t, back, name)
			if strings.HasSuffix(name, "_f32") {
				sameTensors(t, filepath.Join(dir, weights), filepath.Join(from, weights))
			}
		})
	}
}

// sameTensors compares the files' names, shapes and bytes.
func sameTensors(t *testing.T, got, want string) {
	t.Helper()
	g, err := safetensors.Open(got)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	w, err := safetensors.Open(want)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	names := w.Names()
	names = slices.DeleteFunc(names, func(n string) bool { return strings.HasSuffix(n, ".position_ids") })
	if n := len(g.Names()); n != len(names) {
		t.Errorf("got %d tensors, want %d", n, len(names))
	}
	for _, name := range names {
		gi, ok := g.Info(name)
		wi, _ := w.Info(name)
		if !ok || gi.DType != wi.DType || !slices.Equal(gi.Shape, wi.Shape) {
			t.Errorf("got %+v, %v, want %+v", gi, ok, wi)
			continue
		}
		gb, _ := g.Bytes(name)
		wb, _ := w.Bytes(name)
		if !bytes.Equal(gb, wb) {
			t.Errorf("%s: bytes differ", name)
		}
	}
}

// TestSaveIsDeterministic: two saves give the same bytes, into an empty folder or
// over an older model, and leave nothing else behind.
func TestSaveIsDeterministic(t *testing.T) {
	for layout, files := range map[string][]string{
		checkpoint.HuggingFace: {"config.json", "merges.txt", "model.safetensors", "preprocessor_config.json", "vocab.json"},
		checkpoint.OpenCLIP:    {"merges.txt", "open_clip_config.json", "open_clip_model.safetensors", "vocab.json"},
	} {
		s := tinySpec()
		m := random(t, s)
		a, b := t.TempDir(), saved(t, layout, s)
		extra := []checkpoint.File{{Name: "vocab.json", Data: []byte("{}")}, {Name: "merges.txt"}}
		for _, dir := range []string{a, b} {
			if err := replace(dir, layout, s, m.params(), extra...); err != nil {
				t.Fatal(err)
			}
		}
		fa, fb := contents(t, a), contents(t, b)
		if !reflect.DeepEqual(fa, fb) {
			t.Errorf("%s: the files of two saves differ", layout)
		}
		if got := slices.Sorted(maps.Keys(fa)); !slices.Equal(got, files) {
			t.Errorf("%s: got %v, want %v", layout, got, files)
		}
		if fa["vocab.json"] != "{}" {
			t.Errorf("%s: vocab.json holds %q", layout, fa["vocab.json"])
		}
	}
}

func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	m := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && path != dir {
			var b []byte
			b, err = os.ReadFile(path)
			m[d.Name()] = string(b)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestSaveOverItself: a model whose parameters are views of a file may replace
// that file.
func TestSaveOverItself(t *testing.T) {
	s := tinySpec()
	dir := saved(t, checkpoint.OpenCLIP, s)
	c, m := open(t, dir, nil)
	if _, err := checkpoint.Save(dir, checkpoint.OpenCLIP, c.Spec(), m.params(), &checkpoint.SaveOptions{Own: []fs.FileInfo{c.File()}}); err != nil {
		t.Fatal(err)
	}
	_, back := open(t, dir, nil)
	sameParams(t, back.params(), random(t, s).params())
}

// TestSaveRefuses: what a layout cannot express is named, and an older
// checkpoint in the folder stays as it was.
func TestSaveRefuses(t *testing.T) {
	const hf, oc = checkpoint.HuggingFace, checkpoint.OpenCLIP
	for _, c := range []struct {
		layout string
		change func(s *checkpoint.Spec)
		want   string
	}{
		{"openai", func(*checkpoint.Spec) {}, `layout "openai", want goclip, open_clip, huggingface`},
		{hf, func(s *checkpoint.Spec) { s.LogitBias = true }, "layout huggingface has no place for a logit bias"},
		{hf, func(s *checkpoint.Spec) { transformer(s, func(c *text.Transformer) { c.Pool = text.PoolLast }) }, "layout huggingface has no place for the text tower's pooling last"},
		{hf, func(s *checkpoint.Spec) { transformer(s, func(c *text.Transformer) { c.Mask = text.MaskNone }) }, "layout huggingface has no place for the text tower's mask none"},
		{hf, func(s *checkpoint.Spec) { transformer(s, func(c *text.Transformer) { c.Proj = text.ProjLinear }) }, "a text projection with bias"},
		{hf, func(s *checkpoint.Spec) { transformer(s, func(c *text.Transformer) { c.EOSTokenID = 2 }) }, "the end token's id 2"},
		{hf, func(s *checkpoint.Spec) { vit(s, func(c *vision.ViT) { c.Pool = vision.PoolMean }) }, "an image tower without class token, its pooling or ln_pre"},
		{hf, func(s *checkpoint.Spec) { vit(s, func(c *vision.ViT) { c.NoLnPre = true }) }, "ln_pre"},
		{hf, func(s *checkpoint.Spec) { s.Preprocess.Resize = vision.ResizeLongest }, "preprocessing that pads images"},
		{hf, func(s *checkpoint.Spec) { s.Preprocess.Ground = color.Gray16{1} }, "layout huggingface has no place for a ground of 16-bit colour"},
		{oc, func(s *checkpoint.Spec) { s.Preprocess.Ground = color.Gray16{1} }, "layout open_clip has no place for a ground of 16-bit colour"},
		{hf, func(s *checkpoint.Spec) { s.HFTokenizer = "x" }, "another tokenizer than CLIP's"},
		{hf, func(s *checkpoint.Spec) {
			vit(s, func(c *vision.ViT) { c.ImageSize = [2]int{16, 24} })
			s.Preprocess.Size = [2]int{16, 24}
		}, "an image tower that is not square"},
		{oc, func(s *checkpoint.Spec) { transformer(s, func(c *text.Transformer) { c.Activation = nn.GELU }) }, "the image tower's activation quick_gelu beside another of the text tower's"},
		{oc, func(s *checkpoint.Spec) { s.Preprocess = nil }, "layout open_clip has no place for a model without preprocessing"},
		{oc, func(s *checkpoint.Spec) { s.Preprocess.Size = [2]int{8, 8} }, "images are prepared at 8×8 pixels, but the image tower reads 16×16"},
		{oc, func(s *checkpoint.Spec) { transformer(s, func(c *text.Transformer) { c.EmbedDim = 11 }) }, "the image tower's features have 10 elements, the text tower's 11"},
		{oc, func(s *checkpoint.Spec) { vit(s, func(c *vision.ViT) { c.Heads = 5 }) }, "vision: Heads is 5, which does not divide Width 12"},
	} {
		good := tinySpec()
		dir := saved(t, oc, good)
		before := contents(t, dir)
		s := tinySpec()
		c.change(&s)
		err := save(dir, c.layout, s, random(t, good).params())
		wantError(t, err, c.want)
		if !reflect.DeepEqual(contents(t, dir), before) {
			t.Errorf("%s: the folder has changed", c.want)
		}
	}
	s := tinySpec()
	dir := saved(t, oc, s)
	ps := random(t, s).params()
	wantError(t, save(dir, hf, s, ps), "the folder holds another model, open_clip_config.json")
	wantError(t, save(saved(t, hf, s), oc, s, ps), "the folder holds another model, config.json")
	wantError(t, save(dir, oc, s, ps, checkpoint.File{Name: "../x"}), `file "../x" is not the plain name of a file`)
	wantError(t, save(dir, oc, s, ps, checkpoint.File{Name: "open_clip_config.json"}), `file "open_clip_config.json" is there twice`)
	wantError(t, save(t.TempDir(), hf, s, append(ps, &nn.Param{Name: "extra", Shape: []int{1}, Data: []float32{1}})), "1 unexpected, 0 misshapen\n\tunexpected: extra")
	ps[0].Data = ps[0].Data[1:]
	ps[1] = nn.NewParam(ps[1].Name, 3)
	wantError(t, save(dir, oc, s, ps[:len(ps)-1]), "the model does not fit the configuration: 1 tensors missing, 0 unexpected, 2 misshapen",
		"missing: logit_scale", "misshapen: visual.class_embedding: has 11 elements, want 12",
		"misshapen: visual.positional_embedding: has [3], want [5 12]")
}

func wantError(t *testing.T, err error, want ...string) {
	t.Helper()
	for _, w := range want {
		if err == nil || !strings.Contains(err.Error(), w) {
			t.Errorf("got error %v\nwant one with %s", err, w)
		}
	}
}
