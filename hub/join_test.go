package hub_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/hub"
	"github.com/goclip/goclip/internal/golden"
	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/tokenizer"
	"github.com/goclip/goclip/vision"
)

// folder returns the files of a folder and of those in it, by their names on the hub.
func folder(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		files[filepath.ToSlash(rel)], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// images saves a random model of images and texts whose features have so many numbers.
func images(t *testing.T, dim int) map[string][]byte {
	t.Helper()
	tok, err := tokenizer.TrainBPE(slices.Values([]string{"a photo of a cat", "a photo of a dog"}), tokenizer.TrainOptions{VocabSize: 400})
	if err != nil {
		t.Fatal(err)
	}
	m, err := encoder.New(encoder.Config{
		Vision:     vision.ViT{ImageSize: [2]int{16, 16}, PatchSize: 8, Width: 64, Layers: 1, Heads: 1, EmbedDim: dim, Activation: nn.QuickGELU, Pool: vision.PoolClass, NormEps: 1e-5},
		Text:       text.Transformer{ContextLength: 16, VocabSize: tok.VocabSize(), Width: 64, Layers: 1, Heads: 1, EmbedDim: dim, Activation: nn.QuickGELU, Mask: text.MaskCausal, Pool: text.PoolArgmax, NormEps: 1e-5},
		Preprocess: vision.CLIPPreprocess(16),
	}, tok, 1)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := m.SaveAs(dir, encoder.OpenCLIP); err != nil {
		t.Fatal(err)
	}
	return folder(t, dir)
}

// TestJoined: multilingual texts with the images that they were trained towards, by one
// call; and M-CLIP's by the one name that Immich has for both.
func TestJoined(t *testing.T) {
	cases := golden.Shared(t, "families_hf", "checkpoints")
	sentence, mclip := folder(t, filepath.Join(cases, "st_multilingual")), folder(t, filepath.Join(cases, "mclip"))
	h := newHub(t, map[string]map[string][]byte{
		"sentence-transformers/clip-ViT-B-32": images(t, 24), "sentence-transformers/clip-ViT-B-32-multilingual-v1": sentence,
		"M-CLIP/XLM-Roberta-Large-Vit-B-32": mclip, "timm/vit_base_patch32_clip_224.openai": images(t, 28),
	})
	c := h.client(t)
	m, err := c.Join(t.Context(), "sentence-transformers/clip-ViT-B-32", "sentence-transformers/clip-ViT-B-32-multilingual-v1", nil)
	if err != nil {
		t.Fatal(err)
	}
	if cfg := m.Config(); cfg.Vision == nil || cfg.Text.Family() != "distilbert" && cfg.Text.Family() != "bert" || m.Tokenizer() == nil || m.LogitScale() == nil {
		t.Errorf("got %+v with the tokenizer %T", cfg, m.Tokenizer())
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	// Towards other features they were not trained.
	if _, err := c.Join(t.Context(), "timm/vit_base_patch32_clip_224.openai", "sentence-transformers/clip-ViT-B-32-multilingual-v1", nil); err == nil || !strings.Contains(err.Error(), "multilingual-v1") {
		t.Errorf("features of two sizes: got error %v, want one that names both models", err)
	}

	pulled, err := c.Download(t.Context(), "XLM-Roberta-Large-Vit-B-32")
	if err != nil {
		t.Fatal(err)
	}
	if pulled.Image == nil || pulled.Image.Repo != "timm/vit_base_patch32_clip_224.openai" {
		t.Errorf("got %+v, want its images too", pulled)
	}
	// Published models name an encoder of a known shape; that of the case lies in a folder.
	if err := os.Mkdir(filepath.Join(pulled.Path, "base"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(pulled.Path, "base", "config.json"), mclip["base/config.json"], 0o666); err != nil {
		t.Fatal(err)
	}
	c.Offline = true
	found, err := c.Find("XLM-Roberta-Large-Vit-B-32")
	if err != nil || found.Image == nil || found.Path != pulled.Path {
		t.Fatalf("got %+v, %v", found, err)
	}
	m, err = found.Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if cfg := m.Config(); cfg.Vision == nil || cfg.Text == nil || cfg.EmbedDim() != 28 {
		t.Errorf("got %+v", cfg)
	}
}

// TestSizeOfATag: a tag with the weights of a model of other images has the size of its name.
func TestSizeOfATag(t *testing.T) {
	half := [3]float32{0.5, 0.5, 0.5}
	bias := -10.0
	m, err := encoder.New(encoder.Config{
		Vision: vision.SigLIP{ImageSize: [2]int{384, 384}, PatchSize: 14, Width: 8, Layers: 1, Heads: 1, MLPRatio: 2, Activation: nn.GELU, NormEps: 1e-6},
		Text: text.Transformer{ContextLength: 8, VocabSize: 20, Width: 8, Layers: 1, Heads: 1, EmbedDim: 8, MLPRatio: 4,
			Activation: nn.GELU, NormEps: 1e-6, Mask: text.MaskNone, Pool: text.PoolLast, Proj: text.ProjLinear},
		Preprocess: &vision.Preprocess{Size: [2]int{384, 384}, Resize: vision.ResizeSquash, Interpolation: vision.Bicubic, Mean: half, Std: half},
		LogitBias:  &bias,
	}, nil, 1)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := m.SaveAs(dir, encoder.OpenCLIP); err != nil {
		t.Fatal(err)
	}
	h := newHub(t, map[string]map[string][]byte{"timm/ViT-SO400M-14-SigLIP-384": folder(t, dir), "timm/ViT-B-16-SigLIP": {"README.md": nil}})
	c := h.client(t)
	for name, side := range map[string]int{"ViT-SO400M-14-SigLIP-378/webli": 378, "ViT-SO400M-14-SigLIP-384/webli": 384} {
		found, err := c.Download(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		o := found.Options(nil)
		o.Vocabulary = nil
		m, err := encoder.Load(found.Path, o)
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Config(); got.Vision.Dims().ImageSize != [2]int{side, side} || got.Preprocess.Size != [2]int{side, side} {
			t.Errorf("%s: images of %v, prepared to %v, want %d", name, got.Vision.Dims().ImageSize, got.Preprocess.Size, side)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestWeightsOfATag: OpenAI's file by its address, whose hash is right, is fetched once, in
// spite of a cut, is found where open_clip looks for it, and loads. Once it is damaged it is
// fetched again.
func TestWeightsOfATag(t *testing.T) {
	weights, err := os.ReadFile(golden.Shared(t, "cases", "checkpoints", "openai_finetuned", "model.pt"))
	if err != nil {
		t.Fatal(err)
	}
	vocabulary := map[string][]byte{}
	for _, name := range []string{"vocab.json", "merges.txt"} {
		vocabulary[name] = []byte("{}")
	}
	h := newHub(t, map[string]map[string][]byte{clipName: vocabulary})
	c := h.client(t)
	c.Transport, c.Token = elsewhere{h}, "hf_secret"
	at := fmt.Sprintf("/clip/models/%x/ViT-B-32.pt", sha256.Sum256(weights))
	cut := true
	h.answer(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != at {
			return false
		}
		if cut {
			cut = false
			w.Header().Set("Content-Length", fmt.Sprint(len(weights)))
			_, _ = w.Write(weights[:len(weights)/2])
			return true
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(weights))
		return true
	})
	tag := hub.Tag{Model: "ViT-B-32", Tag: "openai", Repo: "timm/vit_base_patch32_clip_224.openai", URL: "https://openaipublic.azureedge.net" + at}
	if sum := tag.SHA256(); !strings.Contains(at, sum) || len(sum) != 64 {
		t.Fatalf("the hash of %s is %q", tag.URL, sum)
	}
	m, err := hub.DownloadTag(t.Context(), c, tag)
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(c.OpenCLIPCache, "ViT-B-32.pt"); m.Path != want {
		t.Errorf("the weights are at %s, want %s", m.Path, want)
	}
	ranges := slices.ContainsFunc(h.requests(), func(r string) bool { return strings.Contains(r, at) && strings.Contains(r, "bytes=") })
	if !ranges {
		t.Error("the cut download was not gone on with")
	}
	loaded, err := encoder.Load(m.Path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := loaded.Close(); err != nil {
		t.Error(err)
	}
	if _, err := hub.FindTag(c, tag); err != nil {
		t.Error(err)
	}
	damaged := slices.Clone(weights)
	damaged[len(damaged)/2] ^= 1
	if err := os.WriteFile(m.Path, damaged, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := hub.FindTag(c, tag); err == nil {
		t.Error("damaged weights were found")
	}
	if _, err := hub.DownloadTag(t.Context(), c, tag); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(m.Path); err != nil || !bytes.Equal(got, weights) {
		t.Errorf("the damaged weights stayed: %v", err)
	}
}
