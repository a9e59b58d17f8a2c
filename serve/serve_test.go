package serve

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/golden"
	"github.com/goclip/goclip/vision"
)

// fixture is a folder with a small model of CLIP's whole vocabulary, and its tokenizer.
func fixture(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	check(t, os.CopyFS(dir, os.DirFS(golden.Fixtures(t, "checkpoints", "hf_fullvocab_f16"))))
	for _, name := range []string{"vocab.json", "merges.txt"} {
		text, err := os.ReadFile(golden.Fixtures(t, "tokenizer", name))
		check(t, err)
		check(t, os.WriteFile(filepath.Join(dir, name), text, 0o600))
	}
	return dir
}

func load(t testing.TB) *encoder.Model {
	t.Helper()
	m, err := encoder.Load(fixture(t), nil)
	check(t, err)
	t.Cleanup(func() { check(t, m.Close()) })
	return m
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// modelOf is a model of a server, by the names that the recorded requests have.
func modelOf(t testing.TB) Model {
	dir := fixture(t)
	return Model{Name: "ViT-B-32__openai", Aliases: []string{"m", "mixed/clip"}, Load: func(context.Context) (*encoder.Model, error) {
		return encoder.Load(dir, &encoder.Options{BatchSize: 16})
	}}
}

// serving starts a server.
func serving(t testing.TB, change func(*Options)) (*Server, string) {
	t.Helper()
	o := Options{}
	if change != nil {
		change(&o)
	}
	if o.Models == nil {
		o.Models = []Model{modelOf(t)}
	}
	s, err := New(o)
	check(t, err)
	ts := httptest.NewServer(s)
	t.Cleanup(func() {
		ts.Close()
		check(t, s.Close())
	})
	return s, ts.URL
}

// recorded is a request that a client was recorded with.
func recorded(t testing.TB, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(golden.Shared(t, "interchange", "requests", name+".http"))
	check(t, err)
	return raw
}

// replay sends a recorded request as it is.
func replay(t testing.TB, base, name string) (status int, header http.Header, body []byte) {
	t.Helper()
	return sendRaw(t, base, recorded(t, name))
}

func sendRaw(t testing.TB, base string, raw []byte) (status int, header http.Header, body []byte) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
	check(t, err)
	defer conn.Close()
	_, err = conn.Write(raw)
	check(t, err)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	check(t, err)
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	check(t, err)
	return resp.StatusCode, resp.Header, body
}

// answered is replay of a request that has to succeed, whose answer is read into v.
func answered(t testing.TB, base, name string, v any) {
	t.Helper()
	status, _, body := replay(t, base, name)
	if status != http.StatusOK {
		t.Fatalf("%s: status %d: %s", name, status, body)
	}
	check(t, json.Unmarshal(body, v))
}

// post sends JSON, and reads the answer into v.
func post(t testing.TB, url, body string, v any) int {
	t.Helper()
	resp, err := http.Post(url, "application/json", strings.NewReader(body))
	check(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	check(t, err)
	if v != nil && len(text) > 0 {
		if err := json.Unmarshal(text, v); err != nil {
			t.Fatalf("%s: %v in %s", url, err, text)
		}
	}
	return resp.StatusCode
}

// photo is the image of the recorded requests.
func photo(t testing.TB) []byte {
	t.Helper()
	raw := recorded(t, "immich-clip-visual")
	_, rest, _ := bytes.Cut(raw, []byte("octet-stream\r\n\r\n"))
	file, _, ok := bytes.Cut(rest, []byte("\r\n------formdata"))
	if !ok {
		t.Fatal("the recorded request has no image")
	}
	return file
}

// rowOf is the encoder's own embedding of a text, or of an image where file is not nil.
func rowOf(t testing.TB, m *encoder.Model, text string, file []byte) []float32 {
	t.Helper()
	if file == nil {
		e, err := m.EncodeTexts(t.Context(), text)
		check(t, err)
		return e.Row(0)
	}
	img, err := vision.Decode(bytes.NewReader(file), nil)
	check(t, err)
	e, err := m.EncodeImages(t.Context(), img)
	check(t, err)
	return e.Row(0)
}

func same(t testing.TB, what string, got, want []float32) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %v, want the encoder's %v, bit for bit", what, got, want)
	}
}

// images are files of several kinds.
func images(t testing.TB) (files [][]byte) {
	t.Helper()
	paths, err := filepath.Glob(golden.Shared(t, "interchange", "source_pictures") + "/[0-9]*")
	check(t, err)
	for _, p := range paths {
		data, err := os.ReadFile(p)
		check(t, err)
		files = append(files, data)
	}
	if len(files) < 8 {
		t.Fatalf("found %d images, want more", len(files))
	}
	return files
}
