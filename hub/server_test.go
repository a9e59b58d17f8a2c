package hub_test

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/hub"
)

// commit is of all repositories of the test's hub.
const commit = "0123456789abcdef0123456789abcdef01234567"

// large is from which size on the hub keeps files elsewhere, by their SHA-256.
const large = 4096

// fakeHub is a hub with a second host for large files, to which it redirects.
type fakeHub struct {
	*httptest.Server
	cdn *httptest.Server
	// before may answer a request itself.
	before func(w http.ResponseWriter, r *http.Request) bool

	mu    sync.Mutex
	repos map[string]map[string][]byte
	log   []string // of requests: method, host, path, range
	auth  []string // of requests: host and the header Authorization
}

func newHub(t *testing.T, repos map[string]map[string][]byte) *fakeHub {
	t.Helper()
	for _, v := range []string{"HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_ENDPOINT", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN",
		"HF_TOKEN_PATH", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_DISABLE_SYMLINKS", "XDG_CACHE_HOME", "HF_HUB_DOWNLOAD_TIMEOUT"} {
		t.Setenv(v, "")
	}
	t.Setenv("HOME", t.TempDir())
	h := &fakeHub{repos: repos}
	h.Server = httptest.NewServer(http.HandlerFunc(h.serve))
	h.cdn = httptest.NewServer(http.HandlerFunc(h.serve))
	t.Cleanup(func() { h.Close(); h.cdn.Close() })
	return h
}

// client uses the hub and a cache of its own.
func (h *fakeHub) client(t *testing.T) *hub.Client {
	t.Helper()
	dir := t.TempDir()
	c := &hub.Client{Endpoint: h.URL, Cache: filepath.Join(dir, "hub"), OpenCLIPCache: filepath.Join(dir, "clip"), Stall: 10 * time.Second}
	hub.SetPause(c, time.Millisecond)
	return c
}

// answer sets what is asked before every answer; nil for nothing.
func (h *fakeHub) answer(before func(http.ResponseWriter, *http.Request) bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.before = before
}

func (h *fakeHub) requests() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.log)
}

func (h *fakeHub) count(part string) (n int) {
	for _, r := range h.requests() {
		if strings.Contains(r, part) {
			n++
		}
	}
	return n
}

func sha256Of(b []byte) string { return fmt.Sprintf("%x", sha256.Sum256(b)) }

func gitSHA1(b []byte) string {
	h := sha1.New()
	fmt.Fprintf(h, "blob %d\x00", len(b))
	h.Write(b)
	return hex.EncodeToString(h.Sum(nil))
}

func etag(b []byte) string {
	if len(b) >= large {
		return sha256Of(b)
	}
	return gitSHA1(b)
}

func (h *fakeHub) serve(w http.ResponseWriter, r *http.Request) {
	where := "hub"
	if "http://"+r.Host == h.cdn.URL {
		where = "cdn"
	}
	h.mu.Lock()
	h.log = append(h.log, strings.TrimSpace(fmt.Sprint(r.Method, " ", where, " ", r.URL.Path, " ", r.Header.Get("Range"))))
	h.auth = append(h.auth, where+" "+r.Header.Get("Authorization"))
	before := h.before
	h.mu.Unlock()
	if before != nil && before(w, r) {
		return
	}
	if where == "cdn" {
		for _, files := range h.repos {
			for _, b := range files {
				if r.URL.Path == "/"+sha256Of(b) {
					http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b))
					return
				}
			}
		}
		http.NotFound(w, r)
		return
	}
	if rest, ok := strings.CutPrefix(r.URL.Path, "/api/models/"); ok {
		h.serveList(w, rest)
		return
	}
	repo, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/resolve/")
	_, name, _ := strings.Cut(rest, "/")
	b, ok := h.repos[repo][name]
	w.Header().Set("X-Repo-Commit", commit)
	if !ok {
		w.Header().Set("X-Error-Code", "EntryNotFound")
		http.NotFound(w, r)
		return
	}
	if len(b) < large {
		w.Header().Set("ETag", `"`+gitSHA1(b)+`"`)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b))
		return
	}
	w.Header().Set("X-Linked-Etag", `"`+sha256Of(b)+`"`)
	w.Header().Set("X-Linked-Size", fmt.Sprint(len(b)))
	http.Redirect(w, r, h.cdn.URL+"/"+sha256Of(b), http.StatusFound)
}

// serveList answers two calls: what a repository is at a revision, and its tree, which Python
// asks for too.
func (h *fakeHub) serveList(w http.ResponseWriter, rest string) {
	repo, _, whole := strings.Cut(rest, "/revision/")
	if !whole {
		repo, _, _ = strings.Cut(rest, "/tree/")
	}
	files, ok := h.repos[repo]
	if !ok {
		w.Header().Set("X-Error-Code", "RepoNotFound")
		http.Error(w, "", http.StatusNotFound)
		return
	}
	siblings, tree := []any{}, []any{}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		b := files[name]
		s := map[string]any{"rfilename": name, "size": len(b), "blobId": gitSHA1(b)}
		t := map[string]any{"type": "file", "path": name, "size": len(b), "oid": gitSHA1(b)}
		if len(b) >= large {
			s["lfs"] = map[string]any{"sha256": sha256Of(b), "size": len(b), "pointerSize": 134}
			t["lfs"] = map[string]any{"oid": sha256Of(b), "size": len(b), "pointerSize": 134}
		}
		siblings, tree = append(siblings, s), append(tree, t)
	}
	var answer any = tree
	if whole {
		answer = map[string]any{"id": repo, "sha": commit, "siblings": siblings}
	}
	_ = json.NewEncoder(w).Encode(answer)
}

// exampleHub makes the environment one in which the hub has one small model, and returns what
// ends that.
func exampleHub(name string) (end func()) {
	dir, err := os.MkdirTemp("", "hub")
	if err != nil {
		log.Fatal(err)
	}
	files, err := saveTiny(filepath.Join(dir, "model"), encoder.HuggingFace)
	if err != nil {
		log.Fatal(err)
	}
	files["README.md"] = []byte("---\nlicense: apache-2.0\n---\n")
	h := &fakeHub{repos: map[string]map[string][]byte{name: files}}
	h.Server, h.cdn = httptest.NewServer(http.HandlerFunc(h.serve)), httptest.NewServer(http.HandlerFunc(h.serve))
	old := map[string]string{}
	for variable, value := range map[string]string{"HF_ENDPOINT": h.URL, "HF_HOME": dir, "HF_HUB_CACHE": "", "HF_TOKEN": "", "HF_HUB_OFFLINE": ""} {
		old[variable] = os.Getenv(variable)
		_ = os.Setenv(variable, value)
	}
	return func() {
		for variable, value := range old {
			_ = os.Setenv(variable, value)
		}
		h.Close()
		h.cdn.Close()
		_ = os.RemoveAll(dir)
	}
}
