package command

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// serveFolder is a hub with one repository, me/tiny, whose files are a folder's.
func serveFolder(t *testing.T, dir string) (address string, requests *atomic.Int32) {
	t.Helper()
	const commit = "0123456789abcdef0123456789abcdef01234567"
	requests = new(atomic.Int32)
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		switch {
		case strings.HasPrefix(r.URL.Path, "/api/models/me/tiny/"):
			var files []any
			entries, _ := os.ReadDir(dir)
			for _, e := range entries {
				b, err := os.ReadFile(filepath.Join(dir, e.Name()))
				if err == nil {
					files = append(files, map[string]any{"rfilename": e.Name(), "lfs": map[string]any{"sha256": fmt.Sprintf("%x", sha256.Sum256(b)), "size": len(b)}})
				}
			}
			_ = json.NewEncoder(w).Encode(map[string]any{"sha": commit, "siblings": files})
		case strings.HasPrefix(r.URL.Path, "/me/tiny/resolve/"+commit+"/"):
			http.ServeFile(w, r, filepath.Join(dir, filepath.Base(r.URL.Path)))
		case strings.HasPrefix(r.URL.Path, "/api/models/me/busy/"):
			w.Header().Set("Retry-After", "7200")
			w.WriteHeader(http.StatusTooManyRequests)
		default:
			w.Header().Set("X-Error-Code", "RepoNotFound")
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	t.Cleanup(h.Close)
	return h.URL, requests
}

func TestModelsByName(t *testing.T) {
	data := tree(t, 4)
	model := tiny(t, data)
	write(t, filepath.Join(model, "README.md"), "---\nlicense: other\nlicense_name: toy-1\n---\n")
	address, requests := serveFolder(t, model)
	cache := t.TempDir()
	for name, value := range map[string]string{"HF_ENDPOINT": address, "HF_HOME": cache, "HF_HUB_CACHE": "", "HF_TOKEN": "", "HF_HUB_OFFLINE": "", "HOME": t.TempDir()} {
		t.Setenv(name, value)
	}
	picture := filepath.Join(data, "red", "0.png")

	// A name in the place of a path downloads, tells the licence, and the second time asks nobody.
	var first, second []classified
	_, errs, code := goclip(t, "classify", "--model", "me/tiny", "--labels", "red,green", picture, "--json")
	if code != 0 || !strings.Contains(errs, "licence toy-1") {
		t.Fatalf("exit code %d, want 0 and the licence:\n%s", code, errs)
	}
	n := requests.Load()
	works(t, &first, "classify", "--model", "me/tiny", "--labels", "red,green", picture)
	if requests.Load() != n {
		t.Errorf("%d requests for a model that is here", requests.Load()-n)
	}
	works(t, &second, "classify", "--model", model, "--labels", "red,green", picture)
	if fmt.Sprint(first) != fmt.Sprint(second) {
		t.Errorf("by name: %v, by path: %v", first, second)
	}

	var got []pulled
	works(t, &got, "pull", "me/tiny", "hf-hub:me/tiny")
	if len(got) != 2 || got[0].License != "toy-1" || got[0].Repo != "me/tiny" || got[0].Bytes == 0 || got[0].Path != got[1].Path {
		t.Errorf("pull: got %+v", got)
	}
	if out := works(t, nil, "pull", "me/tiny"); !strings.Contains(out, "toy-1") || !strings.Contains(out, got[0].Path) {
		t.Errorf("pull: %s", out)
	}
	works(t, &got, "list")
	if len(got) != 1 || got[0].Name != "me/tiny" || got[0].Revision != "main" || got[0].License != "toy-1" {
		t.Errorf("list: got %+v", got)
	}
	if out := works(t, nil, "list"); !strings.Contains(out, "me/tiny  01234567  main") {
		t.Errorf("list: %s", out)
	}
	var info struct{ Source pulled }
	works(t, &info, "info", "me/tiny")
	if info.Source.License != "toy-1" {
		t.Errorf("info: got %+v", info)
	}
	out := filepath.Join(t.TempDir(), "adapted")
	works(t, nil, "train", "--data", data, "--from", "me/tiny", "--teacher", "me/tiny", "--distill", "0.5", "--lora-rank", "2", "--out", out, "--steps", "2", "--batch-size", "4")
	works(t, nil, "info", out)

	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"pull", "me/other"}, badInput, "HF_TOKEN"},
		{[]string{"pull", "me/tiny", "me/other"}, badInput, "1 of 2 models"},
		{[]string{"pull", "me/busy"}, failed, "2h0m0s"},
		{[]string{"pull", "./model"}, misuse, "a path"},
		{[]string{"pull", "hf-hub:../x"}, misuse, "not the name of a repository"},
		{[]string{"pull"}, misuse, "<name>"},
		{[]string{"classify", "--model", "no-such-model", "--labels", "a,b", picture}, badInput, "no-such-model"},
		{[]string{"info", "no-such-model"}, badInput, "no-such-model"},
	} {
		_, errs, code := goclip(t, c.args...)
		if code != c.code || !strings.Contains(errs, c.says) {
			t.Errorf("%v: exit code %d, want %d and %q in\n%s", c.args, code, c.code, c.says, errs)
		}
	}
	t.Setenv("HF_HUB_OFFLINE", "1")
	works(t, nil, "info", "me/tiny")
	if _, errs, code := goclip(t, "info", "me/absent"); code != badInput || !strings.Contains(errs, "HF_HUB_OFFLINE") {
		t.Errorf("offline: exit code %d\n%s", code, errs)
	}
}
