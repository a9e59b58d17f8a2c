package hub_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
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
	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/tokenizer"
	"github.com/goclip/goclip/vision"
)

// tinyModel is a random model, with the files that it saves.
func tinyModel(t *testing.T, layout string) (*encoder.Model, map[string][]byte) {
	t.Helper()
	dir := t.TempDir()
	files, err := saveTiny(dir, layout)
	if err != nil {
		t.Fatal(err)
	}
	m, err := encoder.Load(dir, &encoder.Options{Copy: true})
	if err != nil {
		t.Fatal(err)
	}
	return m, files
}

// saveTiny saves a small random model, and returns its files.
func saveTiny(dir, layout string) (map[string][]byte, error) {
	tok, err := tokenizer.TrainBPE(slices.Values([]string{"a photo of a cat", "a photo of a dog"}), tokenizer.TrainOptions{VocabSize: 400})
	if err != nil {
		return nil, err
	}
	m, err := encoder.New(encoder.Config{
		Vision:     vision.ViT{ImageSize: [2]int{16, 16}, PatchSize: 8, Width: 64, Layers: 1, Heads: 1, EmbedDim: 16, Activation: nn.QuickGELU, Pool: vision.PoolClass, NormEps: 1e-5},
		Text:       text.Transformer{ContextLength: 16, VocabSize: tok.VocabSize(), Width: 64, Layers: 1, Heads: 1, EmbedDim: 16, Activation: nn.QuickGELU, Mask: text.MaskCausal, Pool: text.PoolArgmax, NormEps: 1e-5},
		Preprocess: vision.CLIPPreprocess(16),
	}, tok, 1)
	if err != nil {
		return nil, err
	}
	if err := m.SaveAs(dir, layout); err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if files[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// words is the embedding of a caption.
func words(t *testing.T, m *encoder.Model) []float32 {
	t.Helper()
	e, err := m.EncodeTexts(t.Context(), "a photo of a cat")
	if err != nil {
		t.Fatal(err)
	}
	return e.Data
}

func TestLoadByName(t *testing.T) {
	for _, layout := range []string{encoder.OpenCLIP, encoder.HuggingFace} {
		want, files := tinyModel(t, layout)
		h := newHub(t, map[string]map[string][]byte{"me/tiny": files})
		c := h.client(t)
		for range 2 {
			m, err := c.Load(t.Context(), "me/tiny", nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := words(t, m); !slices.Equal(got, words(t, want)) {
				t.Errorf("%s: the embedding differs", layout)
			}
			if err := m.Close(); err != nil {
				t.Error(err)
			}
		}
		if n := h.count("/api/"); n != 1 {
			t.Errorf("%s: the hub was asked %d times, want once", layout, n)
		}
	}
}

// TestVocabularyFromElsewhere: open_clip's repositories may have no tokenizer.
func TestVocabularyFromElsewhere(t *testing.T) {
	want, files := tinyModel(t, encoder.OpenCLIP)
	repo, vocabulary := map[string][]byte{}, map[string][]byte{"README.md": []byte("---\nlicense: mit\n---\n")}
	for name, b := range files {
		if name == "vocab.json" || name == "merges.txt" {
			vocabulary[name] = b
		} else {
			repo[name] = b
		}
	}
	if len(vocabulary) != 3 {
		t.Fatalf("the model saved %d files", len(files))
	}
	repo["README.md"] = []byte("---\nlicense: apache-2.0\n---\n")
	h := newHub(t, map[string]map[string][]byte{"me/tiny": repo, clipName: vocabulary})
	c := h.client(t)
	c.Progress = func(hub.Progress) {}
	found := download(t, c, "hf-hub:me/tiny")
	if found.VocabularyLicense.ID != "mit" || found.License.ID != "apache-2.0" {
		t.Errorf("got %+v, want the licences apache-2.0 of the weights and mit of the vocabulary", found)
	}
	m, err := found.Load(&encoder.Options{Edited: true})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if got := words(t, m); !slices.Equal(got, words(t, want)) {
		t.Error("the embedding differs")
	}
	before := len(h.requests())
	if _, err := c.Obtain(t.Context(), "hf-hub:me/tiny"); err != nil || len(h.requests()) != before {
		t.Errorf("%v, after %d more requests, want none", err, len(h.requests())-before)
	}
	// Where the tokenizer cannot be had the error names it; offline, the rest does.
	delete(h.repos, clipName)
	c = h.client(t)
	if _, err := c.Download(t.Context(), "hf-hub:me/tiny"); !errors.Is(err, hub.ErrNotFound) || !strings.Contains(err.Error(), clipName) {
		t.Errorf("got %v, want ErrNotFound for %s", err, clipName)
	}
}

// TestPartOfAModel: Python downloaded no tokenizer; it is fetched when the network is
// there, and done without when it is not.
func TestPartOfAModel(t *testing.T) {
	h := newHub(t, clipRepo())
	c := h.client(t)
	m := download(t, c, clipName)
	dir := filepath.Join(c.Cache, "models--openai--clip-vit-base-patch32")
	for _, name := range []string{"vocab.json", "merges.txt", "tokenizer.json"} {
		if err := os.Remove(filepath.Join(m.Path, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.RemoveAll(filepath.Join(dir, ".no_exist")); err != nil {
		t.Fatal(err)
	}
	c.Offline = true
	if got, err := c.Obtain(t.Context(), clipName); err != nil || got.Path != m.Path {
		t.Errorf("offline: got %+v, %v, want %s", got, err, m.Path)
	}
	c.Offline = false
	if _, err := c.Obtain(t.Context(), clipName); err != nil {
		t.Error(err)
	}
	same(t, m, "vocab.json", h.repos[clipName]["vocab.json"])
}

func TestShards(t *testing.T) {
	repo := map[string][]byte{"config.json": []byte("{}"), "model.safetensors.index.json": []byte(`{"weight_map":{"a":"model-1.safetensors","b":"model-2.safetensors","c":"model-1.safetensors"}}`),
		"model-1.safetensors": noise(1, 1<<20), "model-2.safetensors": noise(2, 1<<20), "model-3.safetensors": noise(3, 1<<20), "tokenizer.json": []byte("{}")}
	h := newHub(t, map[string]map[string][]byte{"a/b": repo})
	c := h.client(t)
	m := download(t, c, "a/b")
	same(t, m, "model-1.safetensors", repo["model-1.safetensors"])
	same(t, m, "model-2.safetensors", repo["model-2.safetensors"])
	if h.count("model-3") > 0 {
		t.Error("a file that the index does not name was fetched")
	}
	if err := os.Remove(filepath.Join(m.Path, "model-2.safetensors")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Find("a/b"); !errors.Is(err, hub.ErrNotFound) || !strings.Contains(err.Error(), "model-2.safetensors") {
		t.Errorf("without a shard: got %v, want ErrNotFound with its name", err)
	}
	for _, index := range []string{"model.safetensors.index.fp16.json", "model.fp16.safetensors.index.json", "model.bf16.safetensors.index.json",
		"pytorch_model.bin.index.fp16.json", "pytorch_model.bin.index.bf16.json", "pytorch_model.fp16.bin.index.json"} {
		shard := strings.Split(index, ".")[0] + ".fp16-00001-of-00001.safetensors"
		h := newHub(t, map[string]map[string][]byte{"a/b": {"config.json": []byte("{}"), "tokenizer.json": []byte("{}"),
			index: []byte(`{"weight_map":{"a":"` + shard + `"}}`), shard: noise(3, 1<<10), "other.fp16-00001-of-00001.safetensors": noise(4, 1<<10)}})
		same(t, download(t, h.client(t), "a/b"), shard, noise(3, 1<<10))
		if h.count("other") > 0 {
			t.Errorf("%s: a file that it does not name was fetched", index)
		}
	}
	delete(repo, "model-2.safetensors")
	if _, err := h.client(t).Download(t.Context(), "a/b"); !errors.Is(err, hub.ErrNotFound) || !strings.Contains(err.Error(), "model-2.safetensors") {
		t.Errorf("a shard that the hub has not: got %v, want ErrNotFound with its name", err)
	}
}

// TestWhichWeights: safetensors before pickles, open_clip's first for its own names.
func TestWhichWeights(t *testing.T) {
	all := []string{"open_clip_config.json", "config.json", "open_clip_pytorch_model.bin", "model.safetensors", "pytorch_model.bin"}
	for _, c := range []struct {
		name, want string
		files      []string
	}{
		{"a/b", "model.safetensors", all},
		{"hf-hub:a/b", "open_clip_pytorch_model.bin", all},
		{"a/b", "open_clip_model.safetensors", append([]string{"open_clip_model.safetensors"}, all...)},
		{"hf-hub:a/b", "open_clip_model.safetensors", append([]string{"open_clip_model.safetensors"}, all...)},
		{"a/b", "pytorch_model.bin", []string{"config.json", "pytorch_model.bin", "tf_model.h5"}},
		{"a/b", "model.fp16.safetensors", []string{"config.json", "pytorch_model.bin", "model.fp16.safetensors", "model.fp32.safetensors"}},
		{"a/b", "model.fp16.safetensors", []string{"config.json", "pytorch_model.fp16.bin", "model.fp16.safetensors"}},
		{"a/b", "pytorch_model.bf16.bin", []string{"config.json", "pytorch_model.bf16.bin", "rust_model.ot"}},
		{"a/b", "goclip_model.safetensors", append([]string{"goclip_model.safetensors", "goclip_config.json"}, all...)},
		{"ViTamin-S/datacomp1b", "pytorch_model.bin", []string{"pytorch_model.bin", "model.safetensors"}},
		{"ViTamin-S/datacomp1b", "pytorch_model.safetensors", []string{"pytorch_model.bin", "pytorch_model.safetensors"}},
		{"coca_ViT-B-32/laion2b_s13b_b90k", "open_clip_pytorch_model.bin", []string{"open_clip_pytorch_model.bin"}},
	} {
		files := map[string][]byte{"tokenizer.json": []byte("{}")}
		for _, f := range c.files {
			files[f] = []byte(f)
		}
		h := newHub(t, map[string]map[string][]byte{"a/b": files, "jienengchen/ViTamin-S": files, "laion/CoCa-ViT-B-32-laion2B-s13B-b90k": files})
		m := download(t, h.client(t), c.name)
		var got []string
		entries, _ := os.ReadDir(m.Path)
		for _, e := range entries {
			if strings.Contains(e.Name(), "_model.") || strings.HasPrefix(e.Name(), "model.") {
				got = append(got, e.Name())
			}
		}
		if !slices.Equal(got, []string{c.want}) {
			t.Errorf("%s of %q: fetched %q, want %s", c.name, c.files, got, c.want)
		}
	}
}

// elsewhere sends requests for other hosts to the test's.
type elsewhere struct{ h *fakeHub }

func (e elsewhere) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.HasPrefix(r.Host, "127.0.0.1") {
		r = r.Clone(r.Context())
		r.URL.Scheme, r.URL.Host = "http", strings.TrimPrefix(e.h.cdn.URL, "http://")
	}
	return http.DefaultTransport.RoundTrip(r)
}

// TestAddressOfATag: the hub has no such repository, or open_clip had the weights already.
func TestAddressOfATag(t *testing.T) {
	weights := noise(7, 2<<20)
	h := newHub(t, map[string]map[string][]byte{clipName: {"vocab.json": []byte("{}"), "merges.txt": []byte("#\n")}})
	path, cut := "", true
	h.before = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != path {
			return false
		}
		if r.Header.Get("Authorization") != "" {
			t.Error("the token went to another host")
		}
		if cut && r.Header.Get("Range") == "" {
			w.Header().Set("Content-Length", fmt.Sprint(len(weights)))
			_, _ = w.Write(weights[:1<<20])
			return true
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(weights))
		return true
	}
	for name, at := range map[string]string{
		"ViT-B-32/openai":           "/clip/models/40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af/ViT-B-32.pt",
		"ViT-B-32/laion400m_e32":    "/mlfoundations/open_clip/releases/download/v0.2-weights/vit_b_32-quickgelu-laion400m_e32-46683a32.pt",
		"ViT-B-32/metaclip_400m":    "/MMPT/metaclip/b32_400m.pt",
		"ViT-B-32__metaclip-fullcc": "/MMPT/metaclip/b32_fullcc2.5b.pt",
	} {
		path = at
		c := h.client(t)
		c.Transport, c.Token = elsewhere{h}, "hf_secret"
		m, err := c.Download(t.Context(), name)
		if strings.Contains(name, "metaclip") { // whose addresses have no hash
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			got, err := os.ReadFile(m.Path)
			if want := filepath.Join(c.OpenCLIPCache, filepath.Base(at)); m.Path != want || err != nil || !bytes.Equal(got, weights) {
				t.Errorf("%s: got %s, %v, want the weights at %s", name, m.Path, err, want)
			}
			if m.Vocabulary == "" {
				t.Errorf("%s: no vocabulary was fetched", name)
			}
			before := len(h.requests())
			if again, err := c.Obtain(t.Context(), name); err != nil || again.Path != m.Path || len(h.requests()) != before {
				t.Errorf("%s again: got %+v, %v and %d requests", name, again, err, len(h.requests())-before)
			}
			continue
		}
		if !errors.Is(err, hub.ErrCorrupt) || !errors.Is(err, hub.ErrNotFound) {
			t.Errorf("%s: got %v, want that the hub has it not, and that the address has other bytes", name, err)
		}
		if left, _ := filepath.Glob(filepath.Join(c.OpenCLIPCache, "*.pt*")); len(left) != 1 || !strings.HasSuffix(left[0], ".lock") {
			t.Errorf("%s: left %q", name, left)
		}
	}
}

// TestList: what is in the cache, whoever put it there.
func TestList(t *testing.T) {
	h := newHub(t, clipRepo())
	c := h.client(t)
	if all, err := c.List(); err != nil || len(all) > 0 {
		t.Errorf("no cache: got %+v, %v, want nothing", all, err)
	}
	download(t, c, clipName)
	download(t, c, clipName+"@v1")
	for _, dir := range []string{"models--begun/blobs", "datasets--a--b/snapshots/x", ".locks"} {
		if err := os.MkdirAll(filepath.Join(c.Cache, filepath.FromSlash(dir)), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.MkdirAll(c.OpenCLIPCache, 0o777), os.WriteFile(filepath.Join(c.OpenCLIPCache, "ViT-B-32.pt"), noise(1, 10), 0o666)); err != nil {
		t.Fatal(err)
	}
	all, err := c.List()
	if err != nil || len(all) != 2 {
		t.Fatalf("got %+v, %v, want two", all, err)
	}
	if m := all[0]; m.Repo != clipName || m.Revision != "main, v1" || m.Commit != commit || m.License.ID != "mit" || m.Bytes < 3<<20 {
		t.Errorf("got %+v", m)
	}
	if m := all[1]; m.Name != "ViT-B-32/openai" || m.Bytes != 10 {
		t.Errorf("got %+v", m)
	}
}

// TestEnvironment: where the cache is, by the variables of huggingface_hub.
func TestEnvironment(t *testing.T) {
	h := newHub(t, clipRepo())
	dir := t.TempDir()
	home, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("HF_ENDPOINT", h.URL+"/")
	t.Setenv("GOCLIP_TEST_DIR", dir)
	for _, c := range []struct {
		variable, value, want string
	}{
		{"", "", filepath.Join(home, ".cache", "huggingface", "hub")},
		{"XDG_CACHE_HOME", filepath.Join(dir, "xdg"), filepath.Join(dir, "xdg", "huggingface", "hub")},
		{"HF_HOME", filepath.Join("~", "hf"), filepath.Join(home, "hf", "hub")},
		{"HUGGINGFACE_HUB_CACHE", filepath.Join(dir, "old"), filepath.Join(dir, "old")},
		{"HF_HUB_CACHE", filepath.Join("$GOCLIP_TEST_DIR", "new"), filepath.Join(dir, "new")},
	} {
		if c.variable != "" {
			t.Setenv(c.variable, c.value)
		}
		m, err := (&hub.Client{}).Download(context.Background(), clipName)
		if err != nil {
			t.Fatal(err)
		}
		if rel, err := filepath.Rel(c.want, m.Path); err != nil || strings.HasPrefix(rel, "..") {
			t.Errorf("%s=%s: the model is at %s, want it in %s", c.variable, c.value, m.Path, c.want)
		}
	}
}

// TestPathsAskNobody: what is on this machine, or cannot be a name, makes no request.
func TestPathsAskNobody(t *testing.T) {
	h := newHub(t, clipRepo())
	c := h.client(t)
	t.Chdir(t.TempDir())
	if err := os.MkdirAll(filepath.FromSlash("openai/clip-vit-base-patch32"), 0o777); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{clipName, "openai/typo", "./a/b", "model"} {
		if m, err := c.Load(t.Context(), name, nil); err == nil {
			t.Errorf("%s: got %v, want an error", name, m)
		}
	}
	if len(h.requests()) > 0 {
		t.Errorf("it made the requests %q", h.requests())
	}
	if _, err := json.Marshal(hub.Model{}); err != nil {
		t.Error(err)
	}
}
