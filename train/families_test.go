package train_test

import (
	"context"
	"fmt"
	"image"
	"maps"
	"math"
	"path"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/encoder"
	layouts "github.com/goclip/goclip/internal/checkpoint"
	"github.com/goclip/goclip/internal/letters"
	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/train"
	"github.com/goclip/goclip/vision"
)

// family is a pair of towers to train, with the matrices of their attention and MLPs as
// patterns, each of which adapters must reach.
type family struct {
	vision   vision.Config
	text     text.Config
	matrices []string
	several  bool // vectors for an image, which the trainer does not take
}

func families() map[string]family {
	vit := vision.ViT{
		ImageSize: [2]int{16, 16}, PatchSize: 8, Width: 16, Layers: 2, Heads: 2, EmbedDim: 16,
		Activation: nn.QuickGELU, Pool: vision.PoolClass, NormEps: 1e-5,
	}
	clip := text.Transformer{
		ContextLength: 40, VocabSize: 130, Width: 16, Layers: 1, Heads: 2, EmbedDim: 16,
		Activation: nn.GELU, Mask: text.MaskCausal, Pool: text.PoolArgmax, NormEps: 1e-5,
	}
	mean, mapped := vit, vit
	mean.Pool, mean.NormAfterPool, mean.NoClassToken, mean.NoLnPre = vision.PoolMean, true, true, true
	sorting, plain := mean, vit
	sorting.NormAfterPool, sorting.NoLnPost, sorting.Proj = false, true, vision.ProjLinear
	plain.Proj = vision.ProjNone
	mapped.Pool, mapped.PoolQueries, mapped.PoolHeads = vision.PoolMap, 1, 2
	narrow, narrowText := mapped, clip
	narrow.EmbedDim, narrowText.EmbedDim = 12, 12
	sig := clip
	sig.Mask, sig.Pool, sig.Proj, sig.Activation = text.MaskNone, text.PoolLast, text.ProjLinear, nn.GELUTanh
	bare := sig
	bare.Mask, bare.Pool, bare.EOSTokenID, bare.Proj = text.MaskPadding, text.PoolMean, 129, text.ProjNone
	blocks := func(prefix string, names ...string) []string {
		names = slices.Clone(names)
		for i, n := range names {
			names[i] = prefix + n
		}
		return names
	}
	clipText := blocks("transformer.resblocks.0.", "attn.in_proj_weight", "attn.out_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight")
	clipImage := blocks("visual.transformer.resblocks.*.", "attn.in_proj_weight", "attn.out_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight")
	all := map[string]family{
		"vit": {vision: vit, text: clip, matrices: slices.Concat(clipImage, clipText)},
		"vit of patches, text without projection": {vision: mean, text: bare, matrices: slices.Concat(clipImage, clipText)},
		"vit of a classifier":                     {vision: sorting, text: clip, matrices: append(slices.Clone(clipImage), "visual.proj.weight")},
		"vit without projection":                  {vision: plain, text: clip, matrices: clipImage},
		"vit with attention pool":                 {vision: mapped, text: clip, matrices: append(slices.Clone(clipImage), "visual.attn_pool.attn.in_proj_weight", "visual.attn_pool.attn.out_proj.weight")},
		"vit with attention pool of another width": {vision: narrow, text: narrowText, matrices: append(slices.Clone(clipImage),
			"visual.attn_pool.attn.[qkv]_proj_weight", "visual.attn_pool.attn.out_proj.weight")},
		"resnet": {vision: vision.ResNet{ImageSize: [2]int{32, 32}, Width: 8, EmbedDim: 16, Stages: [4]int{1, 1, 1, 1}}, text: clip,
			matrices: blocks("visual.attnpool.", "q_proj.weight", "k_proj.weight", "v_proj.weight", "c_proj.weight")},
		"convnext": {vision: vision.ConvNeXt{ImageSize: [2]int{32, 32}, Widths: [4]int{8, 8, 16, 16}, Depths: [4]int{1, 1, 2, 1}, EmbedDim: 16, NormEps: 1e-6, Head: vision.HeadMLP}, text: clip,
			matrices: []string{"visual.trunk.stages.*.blocks.*.mlp.fc1.weight", "visual.trunk.stages.*.blocks.*.mlp.fc2.weight", "visual.head.mlp.fc*.weight"}},
		"siglip": {vision: vision.SigLIP{
			ImageSize: [2]int{16, 16}, PatchSize: 8, Width: 16, Layers: 2, Heads: 2, Activation: nn.GELUTanh, NormEps: 1e-6,
		}, text: sig, matrices: slices.Concat(clipText,
			blocks("visual.trunk.blocks.*.", "attn.qkv.weight", "attn.proj.weight", "mlp.fc1.weight", "mlp.fc2.weight"),
			blocks("visual.trunk.attn_pool.", "q.weight", "kv.weight", "proj.weight", "mlp.fc1.weight", "mlp.fc2.weight"))},
	}
	timm := func(c vision.Config, matrices ...string) family {
		return family{vision: c, text: clip, matrices: append(blocks("visual.trunk.", matrices...), clipText...)}
	}
	packed := []string{"blocks.*.attn.qkv.weight", "blocks.*.attn.proj.weight", "blocks.*.mlp.fc1.weight", "blocks.*.mlp.fc2.weight", "head.weight"}
	eva := vision.EVA{ImageSize: [2]int{16, 16}, PatchSize: 8, Width: 16, Layers: 2, Heads: 2, EmbedDim: 16}
	post := eva
	post.PostNorm = true
	scaled := vit
	scaled.LayerScale = 0.1
	noHead := packed[:4]
	dense := blocks("layer.*.", "attention.attention.query.weight", "attention.attention.key.weight", "attention.attention.value.weight",
		"attention.output.dense.weight", "crossattention.attention.query.weight", "crossattention.attention.key.weight",
		"crossattention.attention.value.weight", "crossattention.output.dense.weight", "intermediate_query.dense.weight", "output_query.dense.weight")
	for name, f := range map[string]family{
		"conv stem vit": timm(vision.ConvStemViT{ImageSize: [2]int{32, 32}, Width: 16, Layers: 2, Heads: 2, EmbedDim: 16}, packed...),
		"gap vit": timm(vision.GapViT{
			ImageSize: [2]int{16, 16}, PatchSize: 8, Width: 16, Layers: 2, Heads: 2, EmbedDim: 16, LayerScale: 0.1,
		}, noHead...),
		"relpos vit": timm(vision.RelPosViT{
			ImageSize: [2]int{16, 16}, PatchSize: 8, Width: 16, Layers: 2, Heads: 2, EmbedDim: 16, RelPosWidth: 8, LayerScale: 0.1,
		}, append(blocks("blocks.*.attn.rel_pos.", "mlp.fc1.weight", "mlp.fc2.weight"), noHead...)...),
		"vit with layer scale": {vision: scaled, text: clip, matrices: append(clipImage, clipText...)},
		"timm vit": timm(vision.TimmViT{
			ImageSize: [2]int{16, 16}, PatchSize: 8, Width: 16, Layers: 2, Heads: 2, EmbedDim: 16, Activation: nn.GELU, NormEps: 1e-5,
		}, packed...),
		"pe core": timm(vision.PECore{
			ImageSize: [2]int{16, 16}, PatchSize: 8, Width: 16, Layers: 2, Heads: 2, EmbedDim: 16, RotaryGrid: 2,
		}, append(blocks("attn_pool.", "q.weight", "kv.weight", "proj.weight", "mlp.fc1.weight", "mlp.fc2.weight"), packed...)...),
		"eva": timm(eva, packed...),
		"efficientnet": timm(vision.EfficientNet{
			ImageSize: [2]int{24, 24}, StemWidth: 8, NormEps: 1e-3, Stages: [8]vision.EfficientNetStage{
				{Blocks: 1, Width: 8, Kernel: 3, Stride: 1, Expand: 1}, {Blocks: 2, Width: 12, Kernel: 5, Stride: 2, Expand: 4},
				{Blocks: 1, Width: 16, Kernel: 3, Stride: 2, Expand: 2},
			},
		}),
		"plain vit": timm(vision.PlainViT{
			ImageSize: [2]int{16, 16}, PatchSize: 8, Width: 16, Layers: 2, Heads: 2, EmbedDim: 16, Activation: nn.GELU, NormEps: 1e-5, NormTwice: true,
		}, noHead...),
		"plain vit with a pooler": timm(vision.PlainViT{
			ImageSize: [2]int{16, 16}, PatchSize: 8, Width: 16, Layers: 2, Heads: 2, EmbedDim: 16, Activation: nn.GELU, NormEps: 1e-12,
			Pooler: true, ProjBias: true,
		}, append([]string{"pooler.dense.weight"}, noHead...)...),
		"tips": timm(vision.TIPS{
			ImageSize: [2]int{16, 16}, PatchSize: 8, Width: 16, Layers: 2, Heads: 2, Registers: 1, Activation: nn.GELU, NormEps: 1e-6, LayerScale: 1,
		}, noHead...),
		"tips with swiglu": timm(vision.TIPS{
			ImageSize: [2]int{16, 16}, PatchSize: 8, Width: 16, Layers: 2, Heads: 2, Registers: 1, Activation: nn.GELU, NormEps: 1e-6, LayerScale: 1, SwiGLU: true,
		}, "blocks.*.attn.qkv.weight", "blocks.*.attn.proj.weight", "blocks.*.mlp.w12.weight", "blocks.*.mlp.w3.weight"),
		"naflex": timm(vision.NaFlex{
			ImageSize: [2]int{16, 24}, PatchSize: 8, PositionGrid: [2]int{2, 2}, Width: 16, Layers: 2, Heads: 2, EmbedDim: 16,
			Activation: nn.GELU, NormEps: 1e-6, Pool: vision.PoolMean, Registers: 2, LayerScale: 0.1,
		}, noHead...),
		"naflex with swiglu": timm(vision.NaFlex{
			ImageSize: [2]int{16, 24}, PatchSize: 8, PositionGrid: [2]int{2, 2}, Width: 16, Layers: 2, Heads: 2, EmbedDim: 16,
			Activation: nn.GELU, NormEps: 1e-6, Pool: vision.PoolMap, Registers: 1, LayerScale: 0.1, SwiGLU: true,
		}, append(blocks("attn_pool.", "q.weight", "kv.weight", "proj.weight", "mlp.fc1.weight", "mlp.fc2.weight"), noHead...)...),
		"swin": timm(vision.Swin{
			ImageSize: [2]int{64, 64}, Window: 4, Width: 8, Depths: [4]int{2, 1, 1, 1}, Heads: [4]int{1, 2, 2, 2}, EmbedDim: 16,
		}, "layers.*.blocks.*.attn.qkv.weight", "layers.*.blocks.*.attn.proj.weight", "layers.*.blocks.*.mlp.fc1.weight", "layers.*.blocks.*.mlp.fc2.weight",
			"layers.*.downsample.reduction.weight"),
		"vitamin": timm(vision.ViTamin{
			ImageSize: [2]int{32, 32}, ConvWidths: [2]int{8, 12}, Width: 16, Layers: 2, Heads: 2, EmbedDim: 16, MLPRatio: 2,
		}, "blocks.*.attn.qkv.weight", "blocks.*.attn.proj.weight", "blocks.*.mlp.w0.weight", "blocks.*.mlp.w1.weight", "blocks.*.mlp.w2.weight",
			"patch_embed.backbone.stages.*.*.conv1_1x1.weight"),
		"fastvit": timm(vision.FastViT{
			ImageSize: [2]int{32, 32}, Widths: [5]int{8, 8, 16, 32}, Depths: [5]int{1, 1, 1, 1}, EmbedDim: 16,
		}, "stages.*.blocks.*.mlp.fc1.weight", "stages.*.blocks.*.mlp.fc2.weight", "stages.3.blocks.*.token_mixer.qkv.weight",
			"stages.3.blocks.*.token_mixer.proj.weight", "stages.*.downsample.proj.0.se.fc1.weight", "final_conv.se.fc2.weight", "head.fc.weight"),
		"fastvit of five stages": timm(vision.FastViT{
			ImageSize: [2]int{32, 32}, Widths: [5]int{4, 8, 16, 32, 32}, Depths: [5]int{1, 1, 1, 1, 1}, EmbedDim: 16,
		}, "stages.*.blocks.*.mlp.fc1.weight", "stages.*.blocks.*.mlp.fc2.weight", "stages.4.blocks.*.token_mixer.qkv.weight"),
		"eva with norms last": timm(post, packed...),
		"eva02": timm(vision.EVA02{
			ImageSize: [2]int{16, 16}, PatchSize: 8, Width: 16, Layers: 2, Heads: 2, EmbedDim: 16, MLPRatio: 8.0 / 3, RotaryGrid: 16,
		}, append(blocks("blocks.*.", "attn.q_proj.weight", "attn.k_proj.weight", "attn.v_proj.weight", "attn.proj.weight",
			"mlp.fc1_g.weight", "mlp.fc1_x.weight", "mlp.fc2.weight"), "head.weight")...),
	} {
		all[name] = f
	}
	all["blip2"] = family{vision: vision.BLIP2{
		ImageSize: [2]int{16, 16}, PatchSize: 8, Width: 16, Layers: 2, Heads: 2, EmbedDim: 16, Activation: nn.GELU, NormEps: 1e-6,
		QFormer: vision.QFormer{Queries: 3, Width: 8, Layers: 2, Heads: 2, Hidden: 12, CrossEvery: 2, NormEps: 1e-12},
	}, text: clip, several: true, matrices: slices.Concat(clipText, []string{"visual.vision_projection.weight"},
		blocks("visual.trunk.", noHead...), blocks("visual.qformer.encoder.", dense...))}
	for name, f := range textFamilies() {
		f.vision = vit
		all[name] = f
	}
	return all
}

// textFamilies are the families of text towers beside CLIP's, for the tokenizer of letters.
func textFamilies() map[string]family {
	e := text.Encoder{
		ContextLength: 40, VocabSize: 130, Width: 16, Layers: 2, Heads: 2, MLPWidth: 32, EmbedDim: 16, NormEps: 1e-5,
		Padding: text.PaddingIDs, Pool: text.PoolMean, Head: text.HeadMLP,
	}
	pooled, first, affine := e, e, e
	pooled.Pool, pooled.Head, pooled.Padding = text.PoolTanh, text.HeadLinear, text.PaddingTail
	first.Pool, first.Head = text.PoolFirst, text.HeadTanhBias
	affine.Pool, affine.Head = text.PoolMax, text.HeadBias
	bare := e
	bare.Head, bare.Padding = text.HeadNone, text.PaddingTail
	bert := []string{"attention.self.query.weight", "attention.self.key.weight", "attention.self.value.weight", "attention.output.dense.weight",
		"intermediate.dense.weight", "output.dense.weight"}
	in := func(prefix string, names []string, more ...string) []string {
		for _, n := range names {
			more = append(more, prefix+n)
		}
		return more
	}
	encoder, mlp := "transformer.encoder.layer.*.", []string{"proj.0.weight", "proj.2.weight"}
	modern := text.Modern{
		ContextLength: 40, VocabSize: 130, Width: 16, Layers: 2, Heads: 2, EmbedDim: 16, NormEps: 1e-6, RotaryBase: 1e4,
		Mask: text.MaskCausal, Pool: text.PoolEOS, EOSTokenID: 129, Head: text.HeadLinear, Gated: true,
	}
	mapped := modern
	mapped.Mask, mapped.Pool, mapped.QKNorm = text.MaskPadding, text.PoolMap, true
	blocks := in("blocks.*.", []string{"attn.qkv.weight", "attn.gate.weight", "attn.proj.weight", "mlp.w12.weight", "mlp.w3.weight"}, "text_projection.weight")
	t5 := []string{"0.SelfAttention.q.weight", "0.SelfAttention.k.weight", "0.SelfAttention.v.weight", "0.SelfAttention.o.weight", "1.DenseReluDense.wo.weight"}
	return map[string]family{
		"bert": {text: text.BERT{Encoder: pooled, Activation: nn.GELU, Positions: 40, TokenTypes: 1},
			matrices: in(encoder, bert, "transformer.pooler.dense.weight", "proj.weight")},
		"roberta":    {text: text.BERT{Encoder: e, Activation: nn.GELU, Positions: 41, TokenTypes: 1, Counted: true}, matrices: in(encoder, bert, mlp...)},
		"distilbert": {text: text.BERT{Encoder: affine, Activation: nn.GELU, Positions: 40}, matrices: in(encoder, bert, "proj.weight")},
		"altclip": {text: text.BERT{Encoder: first, Activation: nn.GELU, Positions: 41, TokenTypes: 1, Counted: true, Transform: 12},
			matrices: in(encoder, bert, "transformation.weight", "proj.weight")},
		"m2m_100": {text: text.M2M100{Encoder: e, ScaleEmbedding: true}, matrices: in("transformer.layers.*.", []string{
			"self_attn.q_proj.weight", "self_attn.k_proj.weight", "self_attn.v_proj.weight", "self_attn.out_proj.weight", "fc1.weight", "fc2.weight"}, mlp...)},
		"tips text": {text: text.TIPS{Encoder: bare},
			matrices: in("transformer.resblocks.*.", []string{"attn.in_proj.weight", "attn.out_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight"})},
		"mt5": {text: text.T5{Encoder: e, HeadWidth: 6, Buckets: 8, MaxDistance: 20, Gated: true},
			matrices: in("transformer.block.*.layer.", append(t5, "1.DenseReluDense.wi_0.weight", "1.DenseReluDense.wi_1.weight"), mlp...)},
		"t5": {text: text.T5{Encoder: e, HeadWidth: 8, Buckets: 8, MaxDistance: 20},
			matrices: in("transformer.block.*.layer.", append(t5, "1.DenseReluDense.wi.weight"), mlp...)},
		"modernbert": {text: text.ModernBERT{Encoder: e, GlobalEvery: 2, Window: 4, GlobalBase: 160000, LocalBase: 10000},
			matrices: in("transformer.layers.*.", []string{"attn.Wqkv.weight", "attn.Wo.weight", "mlp.Wi.weight", "mlp.Wo.weight"}, mlp...)},
		"modern text":                  {text: modern, matrices: blocks},
		"modern text with map pooling": {text: mapped, matrices: append(slices.Clone(blocks), "pool.q.weight", "pool.kv.weight")},
		"coca": {text: text.CoCa{ContextLength: 40, VocabSize: 130, Width: 16, Layers: 2, Heads: 2, EmbedDim: 16, Activation: nn.GELU, NormEps: 1e-5},
			matrices: in("transformer.resblocks.*.", []string{"attn.in_proj_weight", "attn.out_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight"})},
	}
}

// TestFamiliesAreAll: each family of towers stands in the table.
func TestFamiliesAreAll(t *testing.T) {
	known, all := layouts.BuiltIn(), families()
	for _, c := range known.Vision {
		if !slices.ContainsFunc(slices.Collect(maps.Values(all)), func(f family) bool { return f.vision.Family() == c.Family() }) {
			t.Errorf("no image tower is of the family %s", c.Family())
		}
	}
	for _, c := range known.Text {
		if !slices.ContainsFunc(slices.Collect(maps.Values(all)), func(f family) bool { return f.text.Family() == c.Family() }) {
			t.Errorf("no text tower is of the family %s", c.Family())
		}
	}
}

// TestFamiliesSameBits: in each family an image and a caption have the same features, to
// the last bit, alone, in batches of any size, and on any number of cores.
func TestFamiliesSameBits(t *testing.T) {
	ctx := context.Background()
	for name, f := range families() {
		t.Run(name, func(t *testing.T) {
			const n = 5
			m := f.model(t)
			b := noise(m, n)
			features := func(size int) (all []float32) {
				for p := range slices.Chunk(b.Pixels, size*len(b.Pixels)/n) {
					e, err := m.ImageFeatures(ctx, p)
					check(t, err)
					all = append(all, e.Data...)
				}
				for ids := range slices.Chunk(b.Tokens, size*len(b.Tokens)/n) {
					e, err := m.TextFeatures(ctx, ids)
					check(t, err)
					all = append(all, e.Data...)
				}
				return all
			}
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
			alone := features(1)
			for cores, size := range map[int]int{1: n, 2: 3, 4: n, 3: 1} {
				runtime.GOMAXPROCS(cores)
				if got := features(size); !slices.Equal(got, alone) {
					t.Errorf("%d at once on %d cores: got %v, want %v", size, cores, got, alone)
				}
			}
		})
	}
}

// idle reports whether no feature depends on a parameter: of relpos vit the last block's
// distances, since the class token alone is the feature and has none; and biases of keys,
// which add the same to all scores of a query.
func idle(family, param string) bool {
	if strings.HasSuffix(param, ".key.bias") || strings.HasSuffix(param, ".k_proj.bias") {
		return true
	}
	ok, _ := path.Match("visual.trunk.blocks.1.attn.rel_pos.*", param)
	return ok && family == "relpos vit"
}

func (f family) model(t *testing.T) *encoder.Model {
	t.Helper()
	preprocess := vision.CLIPPreprocess(0)
	preprocess.Size = f.vision.Dims().ImageSize
	m, err := encoder.New(encoder.Config{Vision: f.vision, Text: f.text, Preprocess: preprocess}, letters.Tokenizer{}, 1)
	check(t, err)
	return m
}

// TestFamiliesTrain: in each family every parameter that is trained has a gradient, and
// twenty steps on one batch lower the loss.
func TestFamiliesTrain(t *testing.T) {
	for name, f := range families() {
		t.Run(name, func(t *testing.T) {
			m := f.model(t)
			if f.several {
				_, err := train.New(m, train.Config{LR: train.Constant(3e-3, 0)})
				if err == nil || !strings.Contains(err.Error(), "3 vectors for an image") {
					t.Errorf("got error %v", err)
				}
				return // vision.TestBLIP2Trains
			}
			tr, err := train.New(m, train.Config{LR: train.Constant(3e-3, 0)})
			check(t, err)
			b := noise(m, 8)
			b.Groups = nil
			first, err := tr.StepBatch(context.Background(), b)
			check(t, err)
			// A ResNet's last norms begin at zero, and nothing flows through them before a step.
			_, err = tr.StepBatch(context.Background(), b)
			check(t, err)
			for _, p := range m.Params() {
				if g := tr.Gradient(p.Name); !p.Buffer && !idle(name, p.Name) && (g == nil || !slices.ContainsFunc(g, func(v float32) bool { return v != 0 })) {
					t.Errorf("%s has no gradient", p.Name)
				}
			}
			last := first
			for range 20 {
				last, err = tr.StepBatch(context.Background(), b)
				check(t, err)
			}
			if !(last.Loss < 0.8*first.Loss) || math.IsInf(last.Loss, 0) {
				t.Errorf("the loss went from %g to %g in 20 steps, want less than four fifths", first.Loss, last.Loss)
			}
		})
	}
}

// gridded is a model of patches.
func gridded(t testing.TB) *encoder.Model {
	t.Helper()
	f := families()["naflex"]
	preprocess := &vision.Preprocess{PatchSize: 8, MaxPatches: 6, Resize: vision.ResizeSquash, Std: [3]float32{1, 1, 1}}
	m, err := encoder.New(encoder.Config{Vision: f.vision, Text: f.text, Preprocess: preprocess}, letters.Tokenizer{}, 1)
	check(t, err)
	return m
}

// TestGridsTrain: a model of patches of several grids learns, from images of any shape.
func TestGridsTrain(t *testing.T) {
	m := gridded(t)
	tr, err := train.New(m, train.Config{LR: train.Constant(3e-3, 0)})
	check(t, err)
	var pairs []dataset.Pair
	for i, size := range []image.Point{{20, 40}, {64, 8}, {30, 30}, {8, 80}} {
		img := image.NewGray(image.Rectangle{Max: size})
		for j := range img.Pix {
			img.Pix[j] = uint8(j * (i + 3))
		}
		pairs = append(pairs, dataset.Pair{Key: fmt.Sprint(i), Image: img, Caption: strings.Repeat("ab", i+1)})
	}
	b, err := tr.Prepare(pairs)
	check(t, err)
	if want := []int32{3, 2, 1, 6, 2, 2, 6, 1}; !slices.Equal(b.Grids, want) {
		t.Errorf("got grids %v, want %v", b.Grids, want)
	}
	first, err := tr.StepBatch(context.Background(), b)
	check(t, err)
	last := first
	for range 20 {
		last, err = tr.StepBatch(context.Background(), b)
		check(t, err)
	}
	if !(last.Loss < 0.8*first.Loss) {
		t.Errorf("the loss went from %g to %g in 20 steps, want less than four fifths", first.Loss, last.Loss)
	}
	b.Grids = nil
	if _, err := tr.StepBatch(context.Background(), b); err == nil || !strings.Contains(err.Error(), "0 numbers of grids for 4 images") {
		t.Errorf("without grids: got error %v", err)
	}
}

// TestFamiliesAdapt: adapters reach every matrix of attention and MLPs, and take part in the
// features: merged into the weights they give the same.
func TestFamiliesAdapt(t *testing.T) {
	for name, f := range families() {
		t.Run(name, func(t *testing.T) {
			m := f.model(t)
			check(t, m.AddLoRA(encoder.LoRA{Rank: 2}, 1))
			for _, pattern := range f.matrices {
				reached := 0
				for _, p := range m.Params() {
					if ok, _ := path.Match(pattern, p.Name); ok {
						reached++
						if p.Adapter() == nil {
							t.Errorf("%s has no adapter", p.Name)
						}
					}
				}
				if reached == 0 {
					t.Errorf("no parameter is named %s", pattern)
				}
			}
			// What has two dimensions and no adapter is no matrix of a layer but a table, or a projection that
			// open_clip stores transposed.
			tables := []string{"embed", "query", "relative_position", "relative_attention_bias", "visual.proj", "text_projection"}
			for _, p := range m.Params() {
				named := func(part string) bool { return strings.Contains(p.Name, part) }
				if len(p.Shape) == 2 && p.Adapter() == nil && !p.Buffer && !slices.ContainsFunc(tables, named) {
					t.Errorf("%s, %v, has no adapter", p.Name, p.Shape)
				}
			}
			for i, p := range m.Adapters() {
				for j := range p.Data {
					p.Data[j] = 0.3 * float32(math.Sin(float64(i+j)))
				}
			}
			b := noise(m, 3)
			features := func() []float32 {
				images, err := m.ImageFeatures(context.Background(), b.Pixels)
				check(t, err)
				texts, err := m.TextFeatures(context.Background(), b.Tokens)
				check(t, err)
				return append(slices.Clone(images.Data), texts.Data...)
			}
			beside := features()
			check(t, m.MergeLoRA())
			merged, largest, diff := features(), 0.0, 0.0
			for i, v := range merged {
				largest = max(largest, math.Abs(float64(v)))
				diff = max(diff, math.Abs(float64(v)-float64(beside[i])))
			}
			if !(diff <= 1e-4*largest) {
				t.Errorf("merged into the weights, adapters give features that differ by %g of %g", diff, largest)
			}
		})
	}
}
