package command

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestServe starts the command, searches as "goclip search" does, and stops it.
func TestServe(t *testing.T) {
	data := tree(t, 3)
	model := tiny(t, data)
	photos := filepath.Join(t.TempDir(), "photos.index")
	works(t, nil, "index", "--model", model, "--data", data, "--out", photos)
	keys := write(t, filepath.Join(t.TempDir(), "keys"), "sk-one\nsk-two\n")
	cmd := program(t, "serve", "--model", "m="+model, "--index", photos, "--listen", "127.0.0.1:0", "--key-file", keys)
	stderr, err := cmd.StderrPipe()
	check(t, err)
	check(t, cmd.Start())
	lines := bufio.NewScanner(stderr)
	base := ""
	for base == "" && lines.Scan() {
		base = regexp.MustCompile(`http://[0-9.:]+`).FindString(lines.Text())
	}
	if base == "" {
		t.Fatal("it does not say where it listens")
	}
	go func() { _, _ = io.Copy(io.Discard, stderr) }()
	req, err := http.NewRequest("GET", base+"/api/search?q=red&k=4", nil)
	check(t, err)
	req.Header.Set("Authorization", "Bearer sk-two")
	resp, err := http.DefaultClient.Do(req)
	check(t, err)
	var got struct{ Hits []hit }
	check(t, json.NewDecoder(resp.Body).Decode(&got))
	resp.Body.Close()
	var want []found
	works(t, &want, "search", "--model", model, "--index", photos, "-k", "4", "red")
	if len(got.Hits) != 4 {
		t.Fatalf("got %+v", got)
	}
	for i, h := range got.Hits {
		if w := want[0].Hits[i]; h.Key != w.Key || h.Score != w.Score {
			t.Errorf("hit %d: got %+v, want %+v", i, h, w)
		}
	}
	for path, kind := range map[string]string{"/": "text/html", "/page/page.js": "text/javascript", "/api/thumb?key=red/0.png": "image/jpeg", "/api/photo?key=red/0.png": "image/png"} {
		req, err := http.NewRequest("GET", base+path, nil)
		check(t, err)
		req.Header.Set("Accept", "text/html")
		if strings.HasPrefix(path, "/api/") { // the page needs no key
			req.Header.Set("Authorization", "Bearer sk-one")
		}
		resp, err := http.DefaultClient.Do(req)
		check(t, err)
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK || !strings.HasPrefix(resp.Header.Get("Content-Type"), kind) {
			t.Errorf("%s: %d %v, want %s", path, resp.StatusCode, resp.Header, kind)
		}
	}
	check(t, cmd.Process.Signal(os.Interrupt))
	if err := cmd.Wait(); err != nil {
		t.Errorf("after an interrupt: %v, want exit code 0", err)
	}
	for _, c := range [][]string{
		{"--model", "m=" + model, "--model", "M=" + model}, {"--model", model, "--max-body", "many"}, {"--model", model, "--tls-cert", "x"},
		{"--model", model, "--immich-upstream", "nowhere"}, {"--model", model, "--batch", "0"}, {"--model", model, "--listen", "nowhere"},
	} {
		if _, errs, code := goclip(t, append([]string{"serve"}, c...)...); code != misuse {
			t.Errorf("%s: exit code %d, want %d: %s", strings.Join(c, " "), code, misuse, errs)
		}
	}
}
