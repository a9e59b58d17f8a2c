package hub_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goclip/goclip/hub"
)

// noise is n bytes that differ for different seeds.
func noise(seed, n int) []byte {
	b := make([]byte, n)
	x := uint32(seed)*2654435761 + 1
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return b
}

// clipRepo has what openai/clip-vit-base-patch32 has, with other contents.
func clipRepo() map[string]map[string][]byte {
	return map[string]map[string][]byte{"openai/clip-vit-base-patch32": {
		"README.md":                []byte("---\nlicense: mit\ntags:\n- vision\n---\n# CLIP\n"),
		"config.json":              []byte("{}"),
		"model.safetensors":        noise(1, 3<<20),
		"pytorch_model.bin":        noise(2, 5000),
		"tf_model.h5":              noise(3, 5000),
		"flax_model.msgpack":       noise(4, 5000),
		"preprocessor_config.json": []byte("{ }"),
		"vocab.json":               []byte("{  }"),
		"merges.txt":               []byte("#version: 0.2\n"),
		"tokenizer.json":           noise(5, 2*large),
		".gitattributes":           []byte("*.bin filter=lfs"),
		"onnx/model.onnx":          noise(6, 5000),
	}}
}

const clipName = "openai/clip-vit-base-patch32"

func download(t *testing.T, c *hub.Client, name string) *hub.Model {
	t.Helper()
	m, err := c.Download(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// same compares a file on the disk with what the hub has.
func same(t *testing.T, m *hub.Model, name string, want []byte) {
	t.Helper()
	got, err := os.ReadFile(filepath.Join(m.Path, name))
	if err != nil {
		t.Error(err)
	} else if !bytes.Equal(got, want) {
		t.Errorf("%s: got %d other bytes, want %d", name, len(got), len(want))
	}
}

func TestDownloadsWhatIsNeeded(t *testing.T) {
	h := newHub(t, clipRepo())
	c := h.client(t)
	var last hub.Progress
	c.Progress = func(p hub.Progress) { last = p }
	m := download(t, c, clipName)
	var got []string
	entries, err := os.ReadDir(m.Path)
	if err != nil {
		t.Fatal(err)
	}
	var total int64
	for _, e := range entries {
		got = append(got, e.Name())
		total += int64(len(h.repos[clipName][e.Name()]))
		same(t, m, e.Name(), h.repos[clipName][e.Name()])
	}
	want := []string{"README.md", "config.json", "merges.txt", "model.safetensors", "preprocessor_config.json", "tokenizer.json", "vocab.json"}
	if !slices.Equal(got, want) {
		t.Errorf("got the files %q, want %q", got, want)
	}
	if m.License.ID != "mit" || m.Commit != commit || m.Revision != "main" || m.Bytes != total || m.Repo != clipName {
		t.Errorf("got %+v, want the licence mit, commit %s, %d bytes", m, commit, total)
	}
	if last.Total != total || last.Done != total || last.Fetched != total || last.Name != clipName {
		t.Errorf("progress ended with %+v, want a total of %d", last, total)
	}
	before := len(h.requests())
	found, err := c.Find(clipName)
	if err != nil || found.Path != m.Path {
		t.Errorf("Find: got %+v, %v, want %s", found, err, m.Path)
	}
	if _, err := c.Obtain(t.Context(), clipName); err != nil || len(h.requests()) != before {
		t.Errorf("Obtain: %v, %d requests, want none for a model that is here", err, len(h.requests())-before)
	}
	if download(t, c, clipName); len(h.requests()) != before+1 {
		t.Errorf("a second download made %d requests, want one that asks for the commit", len(h.requests())-before)
	}
}

func TestLayoutOfTheCache(t *testing.T) {
	h := newHub(t, clipRepo())
	c := h.client(t)
	m := download(t, c, clipName+"@refs/pr/1")
	dir := filepath.Join(c.Cache, "models--openai--clip-vit-base-patch32")
	if want := filepath.Join(dir, "snapshots", commit); m.Path != want {
		t.Errorf("the model is in %s, want %s", m.Path, want)
	}
	for at, want := range map[string]string{
		"refs/refs/pr/1":                                         commit,
		"blobs/" + gitSHA1([]byte("{}")):                         "{}",
		"blobs/" + sha256Of(h.repos[clipName]["tokenizer.json"]): string(h.repos[clipName]["tokenizer.json"]),
		".no_exist/" + commit + "/spiece.model":                  "",
	} {
		got, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(at)))
		if err != nil || !strings.HasPrefix(string(got), want) || want == "" && len(got) > 0 {
			t.Errorf("%s: got %.60q, %v, want %.60q", at, got, err, want)
		}
	}
	if runtime.GOOS != "windows" {
		link, err := os.Readlink(filepath.Join(m.Path, "config.json"))
		if want := "../../blobs/" + gitSHA1([]byte("{}")); err != nil || link != want {
			t.Errorf("config.json is a link to %q (%v), want %q", link, err, want)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "blobs", "*.incomplete")); left != nil {
		t.Errorf("left %q", left)
	}
}

func TestWithoutLinks(t *testing.T) {
	h := newHub(t, clipRepo())
	h.repos[clipName]["special_tokens_map.json"] = h.repos[clipName]["config.json"] // one blob, two names
	t.Setenv("HF_HUB_DISABLE_SYMLINKS", "1")
	c := h.client(t)
	for range 2 {
		m := download(t, c, clipName)
		for _, name := range []string{"config.json", "special_tokens_map.json", "model.safetensors"} {
			same(t, m, name, h.repos[clipName][name])
			if info, err := os.Lstat(filepath.Join(m.Path, name)); err != nil || !info.Mode().IsRegular() {
				t.Errorf("%s: %v, %v, want a regular file", name, info, err)
			}
		}
	}
	if n := h.count("GET hub /openai/clip-vit-base-patch32/resolve/" + commit + "/model.safetensors"); n != 1 {
		t.Errorf("the weights were fetched %d times, want once", n)
	}
}

// TestCutAndResumed: the connection breaks again and again, and in between so does the process.
func TestCutAndResumed(t *testing.T) {
	h := newHub(t, clipRepo())
	weights := h.repos[clipName]["model.safetensors"]
	h.before = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/"+sha256Of(weights) {
			return false
		}
		from := 0
		if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from); err == nil {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(weights)-1, len(weights)))
			w.Header().Set("Content-Length", fmt.Sprint(len(weights)-from))
			w.WriteHeader(http.StatusPartialContent)
		} else {
			w.Header().Set("Content-Length", fmt.Sprint(len(weights)))
		}
		_, _ = w.Write(weights[from:min(from+700_000, len(weights))])
		return true // and the connection ends
	}
	c := h.client(t)
	ctx, cancel := context.WithCancel(t.Context())
	hub.SetWrite(c, func(n int64, _ []byte) error {
		if n > 1_500_000 {
			cancel()
		}
		return nil
	})
	if _, err := c.Download(ctx, clipName); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want that it was cancelled", err)
	}
	if _, err := c.Find(clipName); !errors.Is(err, hub.ErrNotFound) {
		t.Errorf("Find after that: got %v, want ErrNotFound", err)
	}
	hub.SetWrite(c, nil)
	same(t, download(t, c, clipName), "model.safetensors", weights)
	if n := h.count("bytes="); n < 3 {
		t.Errorf("%d requests for a rest, want three or more", n)
	}
	if n := h.count("GET hub /openai/clip-vit-base-patch32/resolve/" + commit + "/model.safetensors bytes="); n != h.count("resolve/"+commit+"/model.safetensors")-1 {
		t.Errorf("only the first request of all may be for the whole file")
	}
}

// TestEndlessCutEnds: a server that sends nothing of use does not hold us forever.
func TestEndlessCutEnds(t *testing.T) {
	h := newHub(t, clipRepo())
	weights := h.repos[clipName]["model.safetensors"]
	h.before = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/"+sha256Of(weights) {
			w.Header().Set("Content-Length", fmt.Sprint(len(weights)))
			_, _ = w.Write(weights[:100])
			return true
		}
		return false
	}
	_, err := h.client(t).Download(t.Context(), clipName)
	if err == nil || !strings.Contains(err.Error(), "model.safetensors") || !strings.Contains(err.Error(), "after 100 of 3145728 bytes") {
		t.Errorf("got %v, want that the connection ended after 100 of 3145728 bytes", err)
	}
}

func TestWrongHash(t *testing.T) {
	for name, body := range map[string]func([]byte) []byte{
		"one bit": func(b []byte) []byte { b = bytes.Clone(b); b[len(b)/2] ^= 1; return b },
		"longer":  func(b []byte) []byte { return append(bytes.Clone(b), 0) },
		"a page":  func([]byte) []byte { return []byte("<html>please log in</html>") },
		"an LFS pointer": func(b []byte) []byte {
			return []byte("version https://git-lfs.github.com/spec/v1\noid sha256:" + sha256Of(b) + "\n")
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, file := range []string{"model.safetensors", "config.json"} {
				h := newHub(t, clipRepo())
				b := h.repos[clipName][file]
				h.before = func(w http.ResponseWriter, r *http.Request) bool {
					if r.URL.Path == "/"+sha256Of(b) || len(b) < large && strings.HasSuffix(r.URL.Path, file) {
						_, _ = w.Write(body(b))
						return true
					}
					return false
				}
				c := h.client(t)
				_, err := c.Download(t.Context(), clipName)
				if !errors.Is(err, hub.ErrCorrupt) || !strings.Contains(err.Error(), file) {
					t.Errorf("%s: got %v, want ErrCorrupt with its name", file, err)
				}
				err = filepath.WalkDir(c.Cache, func(at string, e fs.DirEntry, err error) error {
					if strings.HasPrefix(e.Name(), etag(b)) && !strings.HasSuffix(e.Name(), ".lock") {
						t.Errorf("%s was kept", at)
					}
					return err
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// TestBadRest: what an earlier process left is wrong, and the file is fetched anew.
func TestBadRest(t *testing.T) {
	h := newHub(t, clipRepo())
	c := h.client(t)
	weights := h.repos[clipName]["model.safetensors"]
	blobs := filepath.Join(c.Cache, "models--openai--clip-vit-base-patch32", "blobs")
	for _, left := range [][]byte{noise(9, 1<<20), noise(9, 3<<20), noise(9, 4<<20)} {
		if err := os.MkdirAll(blobs, 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(blobs, sha256Of(weights)+".incomplete"), left, 0o666); err != nil {
			t.Fatal(err)
		}
		same(t, download(t, c, clipName), "model.safetensors", weights)
		if err := os.RemoveAll(c.Cache); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRangesIgnored: the server sends all of a file where a rest was asked for, or refuses to.
func TestRangesIgnored(t *testing.T) {
	for _, code := range []int{http.StatusOK, http.StatusRequestedRangeNotSatisfiable} {
		h := newHub(t, clipRepo())
		weights := h.repos[clipName]["model.safetensors"]
		h.before = func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != "/"+sha256Of(weights) || r.Header.Get("Range") == "" {
				return false
			}
			w.WriteHeader(code)
			if code == http.StatusOK {
				_, _ = w.Write(weights)
			}
			return true
		}
		c := h.client(t)
		blobs := filepath.Join(c.Cache, "models--openai--clip-vit-base-patch32", "blobs")
		if err := errors.Join(os.MkdirAll(blobs, 0o777),
			os.WriteFile(filepath.Join(blobs, sha256Of(weights)+".incomplete"), weights[:1000], 0o666)); err != nil {
			t.Fatal(err)
		}
		same(t, download(t, c, clipName), "model.safetensors", weights)
	}
}

func TestStalls(t *testing.T) {
	for _, part := range []string{"/api/models/", "/resolve/", "body"} {
		t.Run(strings.Trim(part, "/"), func(t *testing.T) {
			h := newHub(t, clipRepo())
			weights := h.repos[clipName]["model.safetensors"]
			done := make(chan struct{})
			h.before = func(w http.ResponseWriter, r *http.Request) bool {
				if part == "body" && r.URL.Path == "/"+sha256Of(weights) {
					w.Header().Set("Content-Length", fmt.Sprint(len(weights)))
					_, _ = w.Write(weights[:10])
					w.(http.Flusher).Flush()
				} else if !strings.Contains(r.URL.Path, part) {
					return false
				}
				select {
				case <-done:
				case <-r.Context().Done():
				}
				return true
			}
			c := h.client(t)
			c.Stall = 20 * time.Millisecond
			_, err := c.Download(t.Context(), clipName)
			close(done)
			if err == nil || !strings.Contains(err.Error(), "the server sent nothing for 20ms") {
				t.Errorf("got %v, want that the server sent nothing for 20ms", err)
			}
		})
	}
}

// TestContextCuts: a server that never answers, and a lock that is never given.
func TestContextCuts(t *testing.T) {
	h := newHub(t, clipRepo())
	h.before = func(_ http.ResponseWriter, r *http.Request) bool { <-r.Context().Done(); return true }
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := h.client(t).Download(ctx, clipName); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a silent server: got %v, want the context's error", err)
	}
	h.answer(nil)
	c := h.client(t)
	release, err := hub.LockFile(t.Context(), hub.LockPath(c.Cache, clipName, etag(h.repos[clipName]["model.safetensors"])), func() {})
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if runtime.GOOS == "wasip1" {
		return // no locks
	}
	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	c.Progress = func(p hub.Progress) {
		if strings.Contains(p.Waiting, "another process") {
			cancel()
		}
	}
	if _, err := c.Download(ctx, clipName); !errors.Is(err, context.Canceled) {
		t.Errorf("a held lock: got %v, want the context's error", err)
	}
}

// TestTwoDownload: several at a time fetch each file once.
func TestTwoDownload(t *testing.T) {
	h := newHub(t, clipRepo())
	c := h.client(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			mine := &hub.Client{Endpoint: c.Endpoint, Cache: c.Cache}
			if _, err := mine.Download(context.Background(), clipName); err != nil {
				t.Error(err)
			}
		}()
	}
	wg.Wait()
	if n := h.count("GET cdn /" + sha256Of(h.repos[clipName]["model.safetensors"])); n != 1 {
		t.Errorf("the weights were fetched %d times, want once", n)
	}
}

func TestDiskFull(t *testing.T) {
	if hub.ErrDiskFull == nil {
		t.Skip("no such error here")
	}
	h := newHub(t, clipRepo())
	c := h.client(t)
	hub.SetWrite(c, func(n int64, _ []byte) error {
		if n > 2<<20 {
			return hub.ErrDiskFull
		}
		return nil
	})
	_, err := c.Download(t.Context(), clipName)
	if err == nil || !strings.Contains(err.Error(), "is full") || !strings.Contains(err.Error(), c.Cache) {
		t.Errorf("got %v, want that the disk of the cache is full", err)
	}
	hub.SetWrite(c, nil)
	same(t, download(t, c, clipName), "model.safetensors", h.repos[clipName]["model.safetensors"])
	if h.count("bytes=") == 0 {
		t.Error("what was there was thrown away, want that the next call goes on with it")
	}
}
