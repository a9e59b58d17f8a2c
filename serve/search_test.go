package serve

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/index"
	"github.com/goclip/goclip/photos"
)

// album is a library of n drawn pictures, the days of January 2021 and after, and its folder.
func album(t *testing.T, n int) (library, folder string) {
	t.Helper()
	folder, library = filepath.Join(t.TempDir(), "album"), filepath.Join(t.TempDir(), "photos.index")
	for i := range n {
		img, patches := image.NewRGBA(image.Rect(0, 0, 64, 48)), sha256.Sum256([]byte{byte(i)})
		for p := range 64 * 48 {
			x, y := p%64/16, p/64/16
			img.SetRGBA(p%64, p/64, color.RGBA{patches[4*y+x], patches[4*y+x+8], patches[4*y+x+16], 255})
		}
		var b bytes.Buffer
		name := filepath.Join(folder, fmt.Sprint(i%2), fmt.Sprintf("%02d.jpg", i))
		if i == 0 {
			name = strings.TrimSuffix(name, "jpg") + "png"
			check(t, png.Encode(&b, img))
		} else {
			check(t, jpeg.Encode(&b, img, nil))
		}
		day := time.Date(2021, 1, 1+i, 12, 0, 0, 0, time.Local)
		check(t, os.MkdirAll(filepath.Dir(name), 0o700))
		check(t, os.WriteFile(name, b.Bytes(), 0o600))
		check(t, os.Chtimes(name, day, day))
	}
	twin, err := os.ReadFile(filepath.Join(folder, "1", "01.jpg"))
	check(t, err)
	check(t, os.WriteFile(filepath.Join(folder, "twin.jpg"), twin, 0o600))
	day := time.Date(2021, 3, 1, 12, 0, 0, 0, time.Local)
	check(t, os.Chtimes(filepath.Join(folder, "twin.jpg"), day, day))
	m := load(t)
	set, err := dataset.Open(folder, &dataset.Options{Shape: dataset.Images})
	check(t, err)
	defer set.Close()
	l, err := photos.OpenLibrary(library, folder, m, photos.LibraryOptions{})
	check(t, err)
	_, err = l.Update(t.Context(), set, photos.UpdateOptions{})
	check(t, err)
	check(t, l.Close())
	return library, folder
}

// shown serves a library of n pictures and their twin.
func shown(t *testing.T, n int) (x *index.Index, base, folder string) {
	t.Helper()
	library, folder := album(t, n)
	x, err := photos.Open(library, nil)
	check(t, err)
	thumbs, err := photos.OpenThumbs(library)
	check(t, err)
	t.Cleanup(func() {
		check(t, thumbs.Close())
		check(t, x.Close())
	})
	of, err := photos.Folder(library)
	check(t, err)
	if of != folder {
		t.Errorf("the library is of %q, want %q", of, folder)
	}
	_, base = serving(t, func(o *Options) { o.Index, o.Thumbs, o.Folder = x, thumbs, of })
	return x, base, folder
}

// fetched is what a GET answers.
func fetched(t *testing.T, address string, header ...string) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, address, nil)
	check(t, err)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	check(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	check(t, err)
	return resp, body
}

// ask searches.
func ask(t *testing.T, base, query string) (f found) {
	t.Helper()
	resp, body := fetched(t, base+"/api/search?"+query)
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %s", query, resp.StatusCode, body)
	}
	check(t, json.Unmarshal(body, &f))
	return f
}

// TestSearchAsPeopleAsk: the grammar, filters and pages, against the index itself.
func TestSearchAsPeopleAsk(t *testing.T) {
	x, base, _ := shown(t, 24)
	m := load(t)
	dog, night := rowOf(t, m, "a dog", nil), rowOf(t, m, "at night", nil)
	like, _ := x.Embedding("1/05.jpg")
	for text, terms := range map[string][]index.Term{
		"q=a+dog":                 {{Weight: 1, Embedding: dog}},
		"q=a+dog+-%22at+night%22": {{Weight: 1, Embedding: dog}, {Weight: -1, Embedding: night}},
		"q=a+dog+2*like:1/05.jpg": {{Weight: 1, Embedding: dog}, {Weight: 2, Embedding: like}},
		"like=1/05.jpg":           {{Weight: 1, Embedding: like}},
		"like=1/05.jpg&q=" + url.QueryEscape("a dog"): {{Weight: 1, Embedding: dog}, {Weight: 1, Embedding: like}},
	} {
		query, err := x.Combine(terms...)
		check(t, err)
		background, err := x.Background(query)
		check(t, err)
		want, err := x.Search(query, 25, nil)
		check(t, err)
		got := ask(t, base, text+"&k=100")
		if len(got.Hits) != 25 || got.Total != 25 {
			t.Fatalf("%s: %d hits of %d, want all 25", text, len(got.Hits), got.Total)
		}
		for i, h := range got.Hits {
			if w := want[i]; h.Key != w.Key || *h.Score != w.Score || *h.Strength != background.Above(w.Score) || h.Width != 64 || h.SHA256 == "" {
				t.Errorf("%s: hit %d is %+v, want %s %v", text, i, h, w.Key, w.Score)
			}
		}
		part := ask(t, base, text+"&k=5&offset=22")
		if part.Total != 25 || len(part.Hits) != 3 || part.Hits[0].Key != want[22].Key {
			t.Errorf("%s: the last page is %+v", text, part)
		}
		least := background.Above(want[7].Score)
		strong := ask(t, base, fmt.Sprintf("%s&k=3&min=%v&path=1/**&path=0/**", text, least))
		n := 0
		for _, h := range want[:8] {
			if h.Key != "twin.jpg" {
				n++
			}
		}
		if strong.Total != n || len(strong.Hits) != 3 {
			t.Errorf("%s: %d above %v, want %d", text, strong.Total, least, n)
		}
	}
	for query, want := range map[string]string{
		"k=3":                           "twin.jpg 1/23.jpg 0/22.jpg",
		"k=9&path=0/*&after=2021-01-21": "0/22.jpg 0/20.jpg",
		"k=9&before=2021-01-02":         "1/01.jpg 0/00.png",
		"k=2&offset=1&after=2021-01&before=2021-01": "0/22.jpg 1/21.jpg",
		"k=2&offset=2147483647":                     "",
	} {
		var keys []string
		for _, h := range ask(t, base, query).Hits {
			keys = append(keys, h.Key)
		}
		if got := strings.Join(keys, " "); got != want {
			t.Errorf("%s: got %q, want %q", query, got, want)
		}
	}
	file := base64.StdEncoding.EncodeToString(photo(t))
	var got found
	if status := post(t, base+"/api/search", `{"image":"`+file+`","text":"-\"at night\"","k":3,"path":["0/**"]}`, &got); status != 200 || len(got.Hits) != 3 || got.Total != 12 {
		t.Fatalf("a picture and words: %d %+v", status, got)
	}
	query, err := x.Combine(index.Term{Weight: -1, Embedding: night}, index.Term{Weight: 1, Embedding: rowOf(t, m, "", photo(t))})
	check(t, err)
	want, err := x.Search(query, 1, func(e index.Entry) bool { return strings.HasPrefix(e.Key, "0/") })
	check(t, err)
	if h := got.Hits[0]; h.Key != want[0].Key || *h.Score != want[0].Score {
		t.Errorf("a picture and words: got %+v, want %+v", h, want[0])
	}
	for query, says := range map[string]string{
		"q=-%22a": "never closed", "q=image:x.jpg": "no", "q=like:none.jpg": "no image", "like=none.jpg": "no image", "q=a&k=0": "k is 0",
		"q=a&offset=-1": "offset", "q=a&offset=x": "offset", "q=a&min=NaN": "min", "min=1": "min", "after=1-2": "date", "q=a&path=[": "pattern", "q=a+-a": "cancel",
	} {
		resp, body := fetched(t, base+"/api/search?"+query)
		if resp.StatusCode != http.StatusBadRequest || !strings.Contains(string(body), says) {
			t.Errorf("%s: got %d %s, want 400 and %q", query, resp.StatusCode, body, says)
		}
	}
}

// TestPictures: thumbnails and files of the index, and no other file.
func TestPictures(t *testing.T) {
	x, base, folder := shown(t, 4)
	e, _ := x.Get("1/01.jpg")
	p, _ := photos.Parse(e.Meta)
	for address, cache := range map[string]string{"?key=1/01.jpg": "no-cache", "?sha256=" + p.SHA256: "immutable"} {
		resp, body := fetched(t, base+"/api/thumb"+address)
		if img, err := jpeg.Decode(bytes.NewReader(body)); err != nil || img.Bounds().Dx() != 64 {
			t.Fatalf("%s: %v %s", address, err, body)
		}
		if h := resp.Header; !strings.Contains(h.Get("Cache-Control"), cache) || h.Get("ETag") != `"`+p.SHA256+`"` || h.Get("Content-Type") != "image/jpeg" {
			t.Errorf("%s: %v", address, h)
		}
		if resp, _ = fetched(t, base+"/api/thumb"+address, "If-None-Match", `"`+p.SHA256+`"`); resp.StatusCode != http.StatusNotModified {
			t.Errorf("%s: status %d of what has not changed", address, resp.StatusCode)
		}
	}
	for key, kind := range map[string]string{"1/01.jpg": "image/jpeg", "0/00.png": "image/png"} {
		resp, body := fetched(t, base+"/api/photo?key="+key)
		want, err := os.ReadFile(filepath.Join(folder, key))
		check(t, err)
		if !bytes.Equal(body, want) || resp.Header.Get("Content-Type") != kind || resp.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d bytes, %v", key, len(body), resp.Header)
		}
		if resp, body = fetched(t, base+"/api/photo?key="+key, "Range", "bytes=0-9"); resp.StatusCode != http.StatusPartialContent || !bytes.Equal(body, want[:10]) {
			t.Errorf("%s: a part: %d %q", key, resp.StatusCode, body)
		}
	}
	secret := filepath.Join(filepath.Dir(folder), "secret.png")
	picture, err := os.ReadFile(filepath.Join(folder, "0/00.png"))
	check(t, err)
	check(t, os.WriteFile(secret, picture, 0o600))
	check(t, os.WriteFile(filepath.Join(folder, "unindexed.png"), picture, 0o600))
	check(t, os.WriteFile(filepath.Join(folder, "page.jpg"), []byte("<html><script>"), 0o600))
	if err := os.Symlink(secret, filepath.Join(folder, "link.png")); err != nil {
		t.Log(err)
	}
	for _, key := range []string{"unindexed.png", "../secret.png", "0/../1/01.jpg", "", secret} {
		if resp, _ := fetched(t, base+"/api/photo?key="+url.QueryEscape(key)); resp.StatusCode != http.StatusNotFound {
			t.Errorf("%q: status %d, want 404", key, resp.StatusCode)
		}
	}
	// An index that names what it should not.
	bad := []string{"../secret.png", secret, "link.png", "page.jpg", "0", "gone.jpg", "a\x00b", ""}
	row, _ := x.Embedding("1/01.jpg")
	for _, key := range bad {
		check(t, x.Add([]index.Entry{{Key: key}}, &encoder.Embeddings{N: 1, Dim: len(row), Data: row}))
	}
	for _, key := range bad {
		if resp, body := fetched(t, base+"/api/photo?key="+url.QueryEscape(key)); resp.StatusCode != http.StatusNotFound {
			t.Errorf("%q of the index: status %d %.40q, want 404", key, resp.StatusCode, body)
		}
	}
	for _, address := range []string{"/api/thumb", "/api/thumb?key=none", "/api/thumb?sha256=../x", "/api/thumb?sha256=" + strings.Repeat("0", 64)} {
		if resp, _ := fetched(t, base+address); resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s: status %d, want 404", address, resp.StatusCode)
		}
	}
}

// TestOtherNames: a site whose name turns into this machine's address sees no photographs.
func TestOtherNames(t *testing.T) {
	_, base, _ := shown(t, 2)
	for host, want := range map[string]int{"evil.example": 403, "evil.example:80": 403, "localhost.evil.example": 403, "10.0.0.1": 403, "localhost:3003": 200, "[::1]:3003": 200, "127.0.0.1": 200} {
		for _, path := range []string{"/api/photo?key=0/00.png", "/api/thumb?key=0/00.png", "/api/search?k=1", "/api/duplicates"} {
			req, err := http.NewRequest(http.MethodGet, base+path, nil)
			check(t, err)
			req.Host = host
			resp, err := http.DefaultClient.Do(req)
			check(t, err)
			resp.Body.Close()
			if resp.StatusCode != want {
				t.Errorf("%s as %s: %d, want %d", path, host, resp.StatusCode, want)
			}
		}
	}
}

func TestDuplicateGroups(t *testing.T) {
	_, base, _ := shown(t, 4)
	var got struct{ Groups [][]map[string]any }
	_, body := fetched(t, base+"/api/duplicates")
	check(t, json.Unmarshal(body, &got))
	if len(got.Groups) != 1 || len(got.Groups[0]) != 2 || got.Groups[0][0]["key"] != "1/01.jpg" || got.Groups[0][1]["key"] != "twin.jpg" || got.Groups[0][1]["likeness"] != "same file" {
		t.Errorf("got %s", body)
	}
	if _, body = fetched(t, base+"/api/duplicates?path=1/**"); string(body) != "{\"groups\":[]}\n" {
		t.Errorf("of one folder: %s", body)
	}
	_, bare := serving(t, func(o *Options) { o.Index = shelf(t, load(t), "a dog") })
	if resp, body := fetched(t, bare+"/api/duplicates"); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("of an index of captions: %d %s", resp.StatusCode, body)
	}
}

func TestMediaType(t *testing.T) {
	for head, want := range map[string]string{
		"\xff\xd8\xff\xe0": "image/jpeg", "\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic": "image/heic", "\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00mif1avif": "image/avif",
		"\x00\x00\x00\x18ftypisom\x00\x00\x00\x00isommp42": "", "II*\x00....": "image/tiff", "<svg xmlns=": "", "<html>": "", "": "", "\xff\x0a": "image/jxl",
	} {
		if got := mediaType([]byte(head)); got != want {
			t.Errorf("%q: got %q, want %q", head, got, want)
		}
	}
}
