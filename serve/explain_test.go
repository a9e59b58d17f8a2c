package serve

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image/jpeg"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goclip/goclip/explain"
	"github.com/goclip/goclip/index"
	"github.com/goclip/goclip/vision"
)

// TestExplain: the map is that of package explain for the direction by which a search ranks,
// and is not drawn again for who has it.
func TestExplain(t *testing.T) {
	x, base, folder := shown(t, 6)
	m := load(t)
	const key = "1/03.jpg"
	at := base + "/api/explain?" + url.Values{"key": {key}, "q": {"2*dog -cat"}}.Encode()
	resp, body := fetched(t, at)
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "image/jpeg" || resp.Header.Get("Cache-Control") != "private, no-cache" {
		t.Fatalf("%s %v: %.200s", resp.Status, resp.Header, body)
	}
	img, err := jpeg.Decode(bytes.NewReader(body))
	check(t, err)
	photo, err := vision.DecodeFile(filepath.Join(folder, key), nil)
	check(t, err)
	if img.Bounds() != photo.Bounds() {
		t.Errorf("the map is %v, the photograph %v", img.Bounds(), photo.Bounds())
	}
	target, err := x.Combine(index.Term{Weight: 2, Embedding: rowOf(t, m, "dog", nil)}, index.Term{Weight: -1, Embedding: rowOf(t, m, "cat", nil)})
	check(t, err)
	want, err := explain.Vector(t.Context(), m, photo, target, explain.Gradients)
	check(t, err)
	px, py := want.Peak()
	if got, want := resp.Header.Get("Goclip-Peak"), fmt.Sprintf("%.3f %.3f", px, py); got != want {
		t.Errorf("the peak is at %s, want %s", got, want)
	}
	over, err := want.Overlay(photo)
	check(t, err)
	var b bytes.Buffer
	check(t, jpeg.Encode(&b, over, &jpeg.Options{Quality: 85}))
	if !bytes.Equal(body, b.Bytes()) {
		t.Error("the picture is not the library's")
	}
	if resp, _ := fetched(t, at, "If-None-Match", resp.Header.Get("ETag")); resp.StatusCode != http.StatusNotModified {
		t.Errorf("%s where nothing has changed", resp.Status)
	}
	check(t, os.WriteFile(filepath.Join(folder, key), []byte("no image"), 0o600))
	if resp, body := fetched(t, at, "If-None-Match", resp.Header.Get("ETag")); resp.StatusCode != http.StatusNotFound || resp.Header.Get("ETag") != "" {
		t.Errorf("of a file that was changed: %s %s", resp.Status, body)
	}

	// By a picture, too.
	file, err := os.ReadFile(filepath.Join(folder, "1", "05.jpg"))
	check(t, err)
	status, body := posted(t, base+"/api/explain", fmt.Sprintf(`{"key":"0/02.jpg","image":%q,"text":"at night"}`, base64.StdEncoding.EncodeToString(file)))
	if _, err := jpeg.Decode(bytes.NewReader(body)); status != http.StatusOK || err != nil {
		t.Errorf("by a picture: %d %v", status, err)
	}
	check(t, os.Remove(filepath.Join(folder, "0", "04.jpg")))
	check(t, os.Symlink("/etc/passwd", filepath.Join(folder, "0", "04.jpg")))
	for query, want := range map[string]int{
		"key=0/02.jpg": 400, "q=dog": 404, "q=dog&key=none": 404, "q=dog&key=../x": 404, "q=dog&key=0/04.jpg": 404, "key=0/02.jpg&q=-%22x": 400, "key=0/02.jpg&like=none": 400,
	} {
		if resp, body := fetched(t, base+"/api/explain?"+query); resp.StatusCode != want || !strings.Contains(string(body), `"error"`) {
			t.Errorf("%s: %s %s, want %d", query, resp.Status, body, want)
		}
	}
}

// TestExplainHasLimits: a crowd is told to come again, and leaves nothing behind.
func TestExplainHasLimits(t *testing.T) {
	x, _, folder := shown(t, 2)
	s, base := serving(t, func(o *Options) { o.Index, o.Folder = x, folder })
	s.drawn <- struct{}{}
	s.maps.claim(maxMaps)
	resp, body := fetched(t, base+"/api/explain?key=0/00.png&q=dog")
	if resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") == "" {
		t.Errorf("%s %s, want 429", resp.Status, body)
	}
	s.maps.free(maxMaps)
	<-s.drawn
	if resp, body = fetched(t, base+"/api/explain?key=0/00.png&q=dog"); resp.StatusCode != http.StatusOK {
		t.Errorf("afterwards: %s %s", resp.Status, body)
	}
	if used := s.maps.used.Load(); used != 0 {
		t.Errorf("%d maps are still counted", used)
	}
}

func posted(t *testing.T, address, body string) (int, []byte) {
	t.Helper()
	resp, err := http.Post(address, "application/json", strings.NewReader(body))
	check(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	check(t, err)
	return resp.StatusCode, text
}
