package hub_test

import (
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

	"github.com/goclip/goclip/hub"
)

func TestAnswersInWords(t *testing.T) {
	for _, c := range []struct {
		code   int
		header map[string]string
		is     error
		says   []string
	}{
		{401, nil, hub.ErrDenied, []string{"401", "HF_TOKEN", "no such repository, or it is not public"}},
		{401, map[string]string{"X-Error-Code": "GatedRepo"}, hub.ErrDenied, []string{"ask on the model's page", "HF_TOKEN"}},
		{403, map[string]string{"X-Error-Code": "GatedRepo", "X-Error-Message": "Access is \"restricted\""}, hub.ErrDenied,
			[]string{"403", "ask on the model's page", `Access is \"restricted\"`}},
		{403, nil, hub.ErrDenied, []string{"403", "HF_TOKEN"}},
		{404, map[string]string{"X-Error-Code": "RepoNotFound"}, hub.ErrNotFound, []string{"404", "no such repository"}},
		{404, map[string]string{"X-Error-Code": "RevisionNotFound"}, hub.ErrNotFound, []string{"no such revision"}},
		{404, nil, hub.ErrNotFound, []string{"no such repository"}},
		{429, map[string]string{"Retry-After": "3600"}, hub.ErrBusy, []string{"429", "1h0m0s"}},
		{429, map[string]string{"RateLimit": `"api";r=0;t=900`}, hub.ErrBusy, []string{"15m0s"}},
		{429, nil, hub.ErrBusy, []string{"429"}},
		{500, nil, nil, []string{"500 Internal Server Error"}},
		{503, map[string]string{"Retry-After": "86400"}, nil, []string{"503"}},
		{418, nil, nil, []string{"418"}},
	} {
		t.Run(fmt.Sprint(c.code, c.header), func(t *testing.T) {
			h := newHub(t, clipRepo())
			h.before = func(w http.ResponseWriter, _ *http.Request) bool {
				for k, v := range c.header {
					w.Header().Set(k, v)
				}
				http.Error(w, "<html>", c.code)
				return true
			}
			_, err := h.client(t).Download(t.Context(), clipName)
			if err == nil || c.is != nil && !errors.Is(err, c.is) {
				t.Fatalf("got %v, want %v", err, c.is)
			}
			for _, part := range append(c.says, clipName) {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("got %q, want %q in it", err, part)
				}
			}
		})
	}
}

// TestPatience: a server that is busy for a moment is asked again.
func TestPatience(t *testing.T) {
	for _, code := range []int{429, 503, 500, 502, 504, 408} {
		h := newHub(t, clipRepo())
		refused := map[string]int{}
		h.before = func(w http.ResponseWriter, r *http.Request) bool {
			if refused[r.URL.Path]++; refused[r.URL.Path] > 2 {
				return false
			}
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(code)
			return true
		}
		c := h.client(t)
		same(t, download(t, c, clipName), "config.json", []byte("{}"))
	}
	h := newHub(t, clipRepo())
	h.before = func(w http.ResponseWriter, r *http.Request) bool {
		if len(h.requests()) > 1 {
			return false
		}
		w.Header().Set("Retry-After", time.Now().Add(1500*time.Millisecond).UTC().Format(http.TimeFormat))
		w.WriteHeader(429)
		return true
	}
	c := h.client(t)
	waiting := ""
	c.Progress = func(p hub.Progress) { waiting += p.Waiting }
	download(t, c, clipName)
	if waiting != "" && !strings.Contains(waiting, "429") {
		t.Errorf("it waited for %q, want the answer 429", waiting)
	}
}

// TestTokenStaysAtHome: it goes to the endpoint, and to nobody whom that names.
func TestTokenStaysAtHome(t *testing.T) {
	h := newHub(t, clipRepo())
	check := func(c *hub.Client, want string) {
		t.Helper()
		h.auth = nil
		download(t, c, clipName)
		seen := map[string]bool{}
		for _, a := range h.auth {
			seen[a] = true
		}
		if !seen["hub "+want] || !seen["cdn "] || len(seen) != 2 {
			t.Errorf("got %v, want %q for the hub and none for the other host", seen, want)
		}
	}
	c := h.client(t)
	c.Token = "hf_secret"
	check(c, "Bearer hf_secret")
	t.Setenv("HF_TOKEN", " hf_env\n")
	check(h.client(t), "Bearer hf_env")
	t.Setenv("HF_TOKEN", "")
	home, _ := os.UserHomeDir()
	dir := filepath.Join(home, ".cache", "huggingface")
	if err := errors.Join(os.MkdirAll(dir, 0o777), os.WriteFile(filepath.Join(dir, "token"), []byte("hf_file\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	check(h.client(t), "Bearer hf_file")
	t.Setenv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")
	check(h.client(t), "")
}

// TestErrorsKeepSecrets: an address that is signed, and a token that no header can hold.
func TestErrorsKeepSecrets(t *testing.T) {
	h := newHub(t, clipRepo())
	h.before = func(w http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "/resolve/") {
			http.Redirect(w, r, "http://127.0.0.1:1/x?Signature=secret", http.StatusFound)
			return true
		}
		return false
	}
	_, err := h.client(t).Download(t.Context(), clipName)
	if err == nil || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "127.0.0.1:1/x") {
		t.Errorf("got %v, want the host without the signature", err)
	}
	c := h.client(t)
	c.Token = "hf_secret\nX"
	if _, err := c.Download(t.Context(), clipName); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v, want an error without the token", err)
	}
}

func TestRedirectsEnd(t *testing.T) {
	h := newHub(t, clipRepo())
	h.before = func(w http.ResponseWriter, r *http.Request) bool {
		http.Redirect(w, r, r.URL.Path+"x", http.StatusFound)
		return true
	}
	if _, err := h.client(t).Download(t.Context(), clipName); err == nil || !strings.Contains(err.Error(), "redirects") {
		t.Errorf("got %v, want that there are too many redirects", err)
	}
}

// TestNamesStayInTheCache: files, hashes, commits and shards that a server chose.
func TestNamesStayInTheCache(t *testing.T) {
	list := func(t *testing.T, answer any) (*fakeHub, *hub.Client) {
		h := newHub(t, clipRepo())
		h.before = func(w http.ResponseWriter, r *http.Request) bool {
			if strings.HasPrefix(r.URL.Path, "/api/") {
				_ = json.NewEncoder(w).Encode(answer)
				return true
			}
			return false
		}
		return h, h.client(t)
	}
	file := func(name, blob string) map[string]any {
		return map[string]any{"rfilename": name, "size": 2, "blobId": blob}
	}
	sha := gitSHA1([]byte("{}"))
	for name, answer := range map[string]any{
		"commit":        map[string]any{"sha": "../../../../x", "siblings": []any{}},
		"short commit":  map[string]any{"sha": "01234567", "siblings": []any{}},
		"no files":      map[string]any{"sha": commit},
		"other types":   map[string]any{"sha": 7, "siblings": "x"},
		"list":          []int{1},
		"modules above": map[string]any{"sha": commit, "siblings": []any{file("modules.json", sha), file("0_X/../../config.json", sha), file("0_X/../../../model.safetensors", sha)}},
	} {
		_, c := list(t, answer)
		if _, err := c.Download(t.Context(), clipName); err == nil {
			t.Errorf("%s: no error", name)
		}
		if entries, err := filepath.Glob(filepath.Join(filepath.Dir(c.Cache), "*")); err != nil || len(entries) > 1 {
			t.Errorf("%s: %q beside the cache (%v)", name, entries, err)
		}
	}
	// A hash that is none is asked for again, where the file is.
	_, c := list(t, map[string]any{"sha": commit, "siblings": []any{file("config.json", "../../../x"), file("model.safetensors", "zz")}})
	if m := download(t, c, clipName); m.Bytes != 2+3<<20 {
		t.Errorf("got %d bytes, want %d", m.Bytes, 2+3<<20)
	}
	for _, text := range []string{`{"weight_map":{"a":"../x.safetensors"}}`, `{"weight_map":{"a":"/etc/passwd"}}`, `{"weight_map":{"a":"b/c"}}`,
		`{"weight_map":{"a":"C:x"}}`, `{"weight_map":{}}`, `{}`, `[`, `{"weight_map":{"a":7}}`} {
		h := newHub(t, map[string]map[string][]byte{"a/b": {"config.json": []byte("{}"), "model.safetensors.index.json": []byte(text)}})
		if _, err := h.client(t).Download(t.Context(), "a/b"); err == nil || !strings.Contains(err.Error(), "model.safetensors.index.json") {
			t.Errorf("%s: got %v, want an error that names the index", text, err)
		}
	}
	for _, name := range []string{"", ".", "..", "a/..", "../a", "/a", "a//b", "a/", `a\b`, "C:a", "a/./b", "a\x00", "a/b.", "con ", strings.Repeat("a", 2000)} {
		if hub.PlainName(name) {
			t.Errorf("%.20q may become a path, want not", name)
		}
	}
}

func TestTooLarge(t *testing.T) {
	h := newHub(t, clipRepo())
	c := h.client(t)
	c.MaxBytes = 1 << 20
	if _, err := c.Download(t.Context(), clipName); err == nil || !strings.Contains(err.Error(), "MaxBytes") || h.count("cdn") > 1 {
		t.Errorf("got %v after %d requests for large files, want a refusal before the weights", err, h.count("cdn"))
	}
	h.before = func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasPrefix(r.URL.Path, "/api/") {
			return false
		}
		chunk := []byte(strings.Repeat(" ", 1<<20))
		for range 64 {
			if _, err := w.Write(chunk); err != nil {
				return true
			}
		}
		return true
	}
	if _, err := h.client(t).Download(t.Context(), clipName); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("an endless list of files: got %v, want a refusal", err)
	}
	h.before = func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasPrefix(r.URL.Path, "/api/") {
			huge := map[string]any{"sha256": sha256Of(nil), "size": int64(1) << 62}
			_ = json.NewEncoder(w).Encode(map[string]any{"sha": commit, "siblings": []any{
				map[string]any{"rfilename": "config.json", "size": 2, "blobId": gitSHA1([]byte("{}"))},
				map[string]any{"rfilename": "vocab.json", "lfs": huge}, map[string]any{"rfilename": "merges.txt", "lfs": huge}, map[string]any{"rfilename": "model.safetensors", "lfs": huge}}})
			return true
		}
		return false
	}
	if _, err := h.client(t).Download(t.Context(), clipName); err == nil || !strings.Contains(err.Error(), "MaxBytes") {
		t.Errorf("sizes that overflow: got %v, want a refusal", err)
	}
}

// TestMirrorWithoutLists: a server that has files only.
func TestMirrorWithoutLists(t *testing.T) {
	for _, code := range []int{404, 405} {
		h := newHub(t, clipRepo())
		h.before = func(w http.ResponseWriter, r *http.Request) bool {
			if strings.HasPrefix(r.URL.Path, "/api/") {
				http.Error(w, "", code)
				return true
			}
			return false
		}
		m := download(t, h.client(t), clipName)
		for _, name := range []string{"README.md", "config.json", "merges.txt", "model.safetensors", "tokenizer.json"} {
			same(t, m, name, h.repos[clipName][name])
		}
		if m.Commit != commit {
			t.Errorf("got the commit %q, want %q", m.Commit, commit)
		}
	}
}

func TestNoHub(t *testing.T) {
	h := newHub(t, clipRepo())
	h.before = func(w http.ResponseWriter, _ *http.Request) bool {
		fmt.Fprint(w, "<html>a hotel's page</html>")
		return true
	}
	if _, err := h.client(t).Download(t.Context(), clipName); err == nil || !strings.Contains(err.Error(), "the list of files") {
		t.Errorf("got %v, want that this is no list of files", err)
	}
	c := h.client(t)
	for _, endpoint := range []string{"huggingface.co", "ftp://x", "http://", "::"} {
		c.Endpoint = endpoint
		if _, err := c.Download(t.Context(), clipName); err == nil || !strings.Contains(err.Error(), "endpoint") {
			t.Errorf("%q: got %v, want that it is no endpoint", endpoint, err)
		}
	}
	c.Endpoint = "http://127.0.0.1:1"
	began := time.Now()
	if _, err := c.Download(t.Context(), clipName); err == nil || time.Since(began) > 20*time.Second {
		t.Errorf("nobody there: got %v after %v, want an error at once", err, time.Since(began))
	}
}

func TestOffline(t *testing.T) {
	h := newHub(t, clipRepo())
	c := h.client(t)
	c.Offline = true
	if _, err := c.Obtain(t.Context(), clipName); !errors.Is(err, hub.ErrOffline) || !strings.Contains(err.Error(), c.Cache) {
		t.Errorf("got %v, want ErrOffline and where the cache is", err)
	}
	c.Offline = false
	for _, v := range []string{"HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"} {
		t.Setenv(v, "yes")
		if _, err := c.Obtain(t.Context(), clipName); !errors.Is(err, hub.ErrOffline) {
			t.Errorf("%s: got %v, want ErrOffline", v, err)
		}
		t.Setenv(v, "")
	}
	if len(h.requests()) > 0 {
		t.Errorf("it made the requests %q", h.requests())
	}
	want := download(t, c, clipName)
	c.Offline = true
	if m, err := c.Obtain(t.Context(), clipName); err != nil || m.Path != want.Path {
		t.Errorf("got %+v, %v, want %s", m, err, want.Path)
	}
}

// TestNoWeights: the repository is of something else.
func TestNoWeights(t *testing.T) {
	h := newHub(t, map[string]map[string][]byte{
		"a/dataset": {"README.md": []byte("x"), "train.csv": []byte("y")},
		"a/other":   {"model.gguf": noise(1, large), "x.onnx": noise(2, 10), "open_clip_model.safetensors": noise(3, 10)},
	})
	for name, part := range map[string]string{"a/dataset": "no weights", "a/other": "model.gguf"} {
		_, err := h.client(t).Download(t.Context(), name)
		if !errors.Is(err, hub.ErrNotModel) || !strings.Contains(err.Error(), part) {
			t.Errorf("%s: got %v, want ErrNotModel with %q", name, err, part)
		}
	}
	if slices.ContainsFunc(h.requests(), func(r string) bool { return strings.Contains(r, "/resolve/") }) {
		t.Errorf("files were fetched: %q", h.requests())
	}
}
