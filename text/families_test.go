package text_test

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
)

// families are small towers of each, which read captions that begin with 50, end with 51,
// and are padded with 3.
func families() map[string]text.Config {
	e := text.Encoder{
		ContextLength: 40, VocabSize: 60, Width: 24, Layers: 3, Heads: 3, MLPWidth: 40, EmbedDim: 10, NormEps: 1e-5,
		PadID: 3, Padding: text.PaddingIDs, Pool: text.PoolMean, Head: text.HeadMLP,
	}
	with := func(change func(e *text.Encoder)) text.Encoder {
		c := e
		change(&c)
		return c
	}
	tail := with(func(e *text.Encoder) { e.Padding, e.Pool, e.Head = text.PaddingTail, text.PoolTanh, text.HeadLinear })
	first := with(func(e *text.Encoder) { e.Pool, e.Head = text.PoolFirst, text.HeadTanhBias })
	plain := with(func(e *text.Encoder) { e.Padding, e.Head, e.EmbedDim = text.PaddingTail, text.HeadNone, e.Width })
	largest := with(func(e *text.Encoder) { e.Pool, e.Head = text.PoolMax, text.HeadBias })
	modern := text.Modern{
		ContextLength: 40, VocabSize: 60, Width: 24, Layers: 2, Heads: 3, EmbedDim: 10, MLPRatio: 8.0 / 3, NormEps: 1e-6, RotaryBase: 1e4,
		Mask: text.MaskCausal, Pool: text.PoolEOS, PadID: 3, EOSTokenID: 51, Head: text.HeadLinear, Gated: true,
	}
	mapped, mean := modern, modern
	mapped.Mask, mapped.Pool, mapped.QKNorm, mapped.Head = text.MaskPadding, text.PoolMap, true, text.HeadBias
	mean.Mask, mean.Pool, mean.Gated = text.MaskPadding, text.PoolMean, false
	return map[string]text.Config{
		"bert":       text.BERT{Encoder: tail, Activation: nn.GELU, Positions: 40, TokenTypes: 2, ZeroPad: true},
		"roberta":    text.BERT{Encoder: e, Activation: nn.GELU, Positions: 50, TokenTypes: 1, Counted: true},
		"distilbert": text.BERT{Encoder: largest, Activation: nn.GELUTanh, Positions: 40},
		"altclip":    text.BERT{Encoder: first, Activation: nn.GELU, Positions: 44, TokenTypes: 1, Counted: true, Transform: 7},
		"m2m_100":    text.M2M100{Encoder: first, ScaleEmbedding: true},
		"tips":       text.TIPS{Encoder: plain},
		"mt5":        text.T5{Encoder: e, HeadWidth: 4, Buckets: 8, MaxDistance: 20, Gated: true},
		"t5":         text.T5{Encoder: first, HeadWidth: 10, Buckets: 32, MaxDistance: 128},
		"modernbert": text.ModernBERT{Encoder: e, GlobalEvery: 2, Window: 4, GlobalBase: 160000, LocalBase: 10000},
		"modern":     modern, "modern map": mapped, "modern mean": mean,
		"coca": text.CoCa{
			ContextLength: 40, VocabSize: 60, Width: 24, Layers: 2, Heads: 3, EmbedDim: 10, Activation: nn.GELU, NormEps: 1e-5, PadID: 3,
		},
	}
}

// rows are captions of many lengths, the full context among them; one has padding within.
func rows(length int) (all [][]int32) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{2, 3, 9, 17, 31, length - 1, length} {
		row := slices.Repeat([]int32{3}, length)
		row[0] = 50
		for i := 1; i < n; i++ {
			row[i] = int32(4 + rng.IntN(40))
		}
		row[n-1] = 51
		if n == 17 {
			row[5], row[6] = 3, 3
		}
		all = append(all, row)
	}
	return all
}

// features runs a tower on so many tokens of each row.
func features(t *testing.T, tower text.Tower, length int, rows ...[]int32) []float32 {
	t.Helper()
	g := G.NewGraph()
	var tokens, pooled []int32
	for _, row := range rows {
		tokens = append(tokens, row[:length]...)
		pooled = append(pooled, int32(tower.Config().Row(row).Pooled))
	}
	y, err := tower.Forward(text.Input{Tokens: nn.Leaf(g, "tokens", tokens, len(rows), length), Pooled: nn.Leaf(g, "pooled", pooled, len(rows))})
	if err != nil {
		t.Fatal(err)
	}
	m, err := nn.NewMachine(g, y)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Run(); err != nil {
		t.Fatal(err)
	}
	return slices.Clone(nn.Floats(y))
}

// TestCaptionsHaveTheirBits: a caption has the same feature, to the last bit, alone and in a
// batch, over the tokens that its Row asks for and over the whole context, on one core and
// on all; what follows those tokens is not looked at.
func TestCaptionsHaveTheirBits(t *testing.T) {
	for name, c := range families() {
		t.Run(name, func(t *testing.T) {
			tower, err := text.New(c, 1)
			if err != nil {
				t.Fatal(err)
			}
			rng := rand.New(rand.NewPCG(3, 4))
			for _, p := range tower.Params() {
				for i := range p.Data {
					p.Data[i] += 0.2 * (rng.Float32() - 0.5)
				}
			}
			all, dim := rows(c.Dims().ContextLength), c.Dims().EmbedDim
			batch := features(t, tower, c.Dims().ContextLength, all...)
			if slices.Equal(batch[:dim], batch[dim:2*dim]) {
				t.Fatal("two captions have one feature")
			}
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
			for i, row := range all {
				want := batch[i*dim:][:dim]
				if got := features(t, tower, c.Dims().ContextLength, row); !slices.Equal(got, want) {
					t.Errorf("caption %d: alone %v, in the batch %v", i, got, want)
				}
				r := c.Row(row)
				if got := features(t, tower, r.Length, row); !slices.Equal(got, want) {
					t.Errorf("caption %d: over %d tokens %v, over the context %v", i, r.Length, got, want)
				}
			}
		})
	}
}

// TestPaddingWithin: padding between words is hidden where the reference hides each such
// id, and seen where it follows a tokenizer's mask, as words are.
func TestPaddingWithin(t *testing.T) {
	bert := families()["bert"].(text.BERT)
	bert.ZeroPad = false
	for padding, hidden := range map[text.Padding]bool{text.PaddingIDs: true, text.PaddingTail: false} {
		bert.Padding = padding
		tower, err := text.New(bert, 1)
		if err != nil {
			t.Fatal(err)
		}
		row := slices.Repeat([]int32{3}, 40)
		copy(row, []int32{50, 9, 3, 10, 51})
		before := features(t, tower, 40, row)
		for _, p := range tower.Params() { // the padding's own embedding
			if strings.Contains(p.Name, "word_embeddings") {
				p.Data[3*24] += 1
			}
		}
		if same := slices.Equal(features(t, tower, 40, row), before); same != hidden {
			t.Errorf("%s: padding within has no effect: %t, want %t", padding, same, hidden)
		}
	}
}

// TestRows: what each family reads of a caption.
func TestRows(t *testing.T) {
	all := families()
	for _, c := range []struct {
		family string
		ids    []int32
		want   text.Row
	}{
		{"roberta", []int32{50, 9, 51, 3, 3}, text.Row{Length: 3, Pooled: 2}},
		{"roberta", []int32{50, 3, 51, 3, 3}, text.Row{Length: 3, Pooled: 2}},
		{"roberta", []int32{3, 3, 3}, text.Row{Length: 1, Pooled: 0}},
		{"modern", []int32{50, 9, 51, 3, 3}, text.Row{Length: 3, Pooled: 2}},
		{"modern", []int32{50, 51, 9, 51, 3}, text.Row{Length: 2, Pooled: 1}},
		{"modern", []int32{50, 9, 9, 3, 3}, text.Row{Length: 3, Pooled: 2}}, // cut: no end token
		{"modern map", []int32{50, 51, 9, 51, 3}, text.Row{Length: 4, Pooled: 3}},
		{"coca", []int32{50, 9, 51, 3, 3}, text.Row{Length: 4, Pooled: 2}}, // the first padding is seen
		{"coca", []int32{50, 9, 51}, text.Row{Length: 3, Pooled: 2}},
	} {
		if got := all[c.family].Row(c.ids); got != c.want {
			t.Errorf("%s, %v: got %+v, want %+v", c.family, c.ids, got, c.want)
		}
	}
}

// TestMaskAndTypes: a tower that is told what it would find by itself gives the same, and
// another type another feature.
func TestMaskAndTypes(t *testing.T) {
	c := families()["bert"].(text.BERT)
	tower, err := text.New(c, 1)
	if err != nil {
		t.Fatal(err)
	}
	row := rows(40)[2]
	run := func(kind int32, told bool) []float32 {
		g := G.NewGraph()
		types, mask := make([]int32, 40), make([]int32, 40)
		types[1] = kind
		for i := range c.Row(row).Length {
			mask[i] = 1
		}
		in := text.Input{Tokens: nn.Leaf(g, "tokens", row, 1, 40), Pooled: nn.Leaf(g, "pooled", []int32{int32(c.Row(row).Pooled)}, 1)}
		if told {
			in.Mask, in.Types = nn.Leaf(g, "mask", mask, 1, 40), nn.Leaf(g, "types", types, 1, 40)
		}
		y, err := tower.Forward(in)
		if err != nil {
			t.Fatal(err)
		}
		m, err := nn.NewMachine(g, y)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Run(); err != nil {
			t.Fatal(err)
		}
		return slices.Clone(nn.Floats(y))
	}
	want := run(0, false)
	if got := run(0, true); !slices.Equal(got, want) {
		t.Errorf("told %v, found %v", got, want)
	}
	if got := run(1, true); slices.Equal(got, want) {
		t.Error("a token's type has no effect")
	}
}

// TestFamiliesNameTheField: what does not fit is an error that names it.
func TestFamiliesNameTheField(t *testing.T) {
	all := families()
	roberta, m2m, t5 := all["roberta"].(text.BERT), all["m2m_100"].(text.M2M100), all["mt5"].(text.T5)
	modernBERT, modern, coca := all["modernbert"].(text.ModernBERT), all["modern"].(text.Modern), all["coca"].(text.CoCa)
	for want, c := range map[string]text.Config{
		"Positions is 43, want 44 to 1048576":                               func() text.Config { c := roberta; c.Positions = 43; return c }(),
		"Heads is 5, which does not divide Width 24":                        func() text.Config { c := roberta; c.Heads = 5; return c }(),
		"PadID is 60, want an id below VocabSize 60":                        func() text.Config { c := roberta; c.PadID = 60; return c }(),
		"Padding is 0, want ids or tail":                                    func() text.Config { c := roberta; c.Padding = 0; return c }(),
		"Pool is 2, want first, mean, max or tanh":                          func() text.Config { c := roberta; c.Pool = text.PoolEOS; return c }(),
		"Head is 9, want none, linear, linear_bias, mlp, tanh or tanh_bias": func() text.Config { c := roberta; c.Head = 9; return c }(),
		"EmbedDim is 10, want Width 24 where Head is none":                  func() text.Config { c := roberta; c.Head = text.HeadNone; return c }(),
		"Pool is 7, want first, mean or max":                                func() text.Config { c := m2m; c.Pool = text.PoolTanh; return c }(),
		"Width is 21, want an even number":                                  func() text.Config { c := m2m; c.Width = 21; return c }(),
		"Buckets is 6, want a multiple of 4":                                func() text.Config { c := t5; c.Buckets = 6; return c }(),
		"MaxDistance is 2, want more than a quarter of Buckets 8":           func() text.Config { c := t5; c.MaxDistance = 2; return c }(),
		"Window is 0, want 1 to 1048576":                                    func() text.Config { c := modernBERT; c.Window = 0; return c }(),
		"LocalBase is 1, want more than 1":                                  func() text.Config { c := modernBERT; c.LocalBase = 1; return c }(),
		"Mask is 2, want causal or padding":                                 func() text.Config { c := modern; c.Mask = text.MaskNone; return c }(),
		"Heads is 24, which does not divide Width 24 into even parts":       func() text.Config { c := modern; c.Heads = 24; return c }(),
		"Activation is 0, want gelu, gelu_tanh or quick_gelu":               func() text.Config { c := coca; c.Activation = 0; return c }(),
	} {
		if err := c.Validate(); err == nil || err.Error() != "text: "+want {
			t.Errorf("got error %v, want text: %s", err, want)
		}
		if _, err := c.New(); err == nil {
			t.Errorf("%s: New made a tower", want)
		}
	}
	for name, c := range all {
		if err := c.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestDepths: each block is nearer to the feature than the one before it, and nothing is
// without a place.
func TestDepths(t *testing.T) {
	for name, c := range families() {
		tower, err := c.New()
		if err != nil {
			t.Fatal(err)
		}
		depths := map[int]bool{}
		for _, p := range tower.Params() {
			depths[tower.(nn.Layered).Depth(p.Name)] = true
		}
		layers := len(depths) - 2 // what is behind the blocks and before them
		for d := range len(depths) {
			if !depths[d] {
				t.Errorf("%s: no parameter has depth %d of %d layers", name, d, layers)
			}
		}
		if n := c.(nn.Coster).MultiplyAdds(); !(n > 1000) {
			t.Errorf("%s: %g multiplications", name, n)
		}
	}
}
