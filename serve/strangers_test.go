package serve

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goclip/goclip/encoder"
)

// asks sends a request with a header.
func asks(t *testing.T, method, url, body string, header ...string) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	check(t, err)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	check(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	check(t, err)
	return resp.StatusCode, resp.Header, string(text)
}

func TestKeys(t *testing.T) {
	_, base := serving(t, func(o *Options) { o.Keys = []string{"sk-other", "sk-test"} })
	for _, name := range []string{"openai-py-text-default", "openai-py-models"} {
		if status, _, body := replay(t, base, name); status != http.StatusOK {
			t.Errorf("%s with its key: %d %s", name, status, body)
		}
	}
	for _, header := range [][]string{nil, {"Authorization", "Bearer sk-wrong"}, {"Authorization", "Basic sk-test"}, {"Authorization", "Bearer"}, {"Authorization", ""}} {
		status, h, body := asks(t, "POST", base+"/v1/embeddings", `{"input":"a"}`, header...)
		if status != http.StatusUnauthorized || !strings.Contains(body, `"invalid_api_key"`) || h.Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("%q: %d %s", header, status, body)
		}
	}
	for path, want := range map[string]int{"/ping": 200, "/health/live": 200, "/health/ready": 200, "/.well-known/ready": 204, "/metrics": 401, "/meta": 401, "/api/search?q=a": 401} {
		if status, _, _ := asks(t, "GET", base+path, ""); status != want {
			t.Errorf("%s without a key: %d, want %d", path, status, want)
		}
	}
}

// TestOtherSites: a browser may not use the server for pages of others.
func TestOtherSites(t *testing.T) {
	_, base := serving(t, nil)
	host := strings.TrimPrefix(base, "http://")
	for _, c := range []struct {
		want   int
		header []string
	}{
		{403, []string{"Origin", "https://evil.example"}},
		{403, []string{"Origin", "null"}},
		{403, []string{"Sec-Fetch-Site", "cross-site"}},
		{200, []string{"Origin", "http://" + host, "Sec-Fetch-Site", "same-origin"}},
		{200, []string{"Sec-Fetch-Mode", "cors"}}, // Node
	} {
		status, h, _ := asks(t, "POST", base+"/vectorize", `{"texts":["a"]}`, c.header...)
		if status != c.want || h.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%q: %d, want %d", c.header, status, c.want)
		}
	}
}

// TestLimits: what is too much is refused in the dialect's shape, and nothing stays taken.
func TestLimits(t *testing.T) {
	s, base := serving(t, func(o *Options) {
		o.MaxBody, o.Decode.MaxPixels, o.Stall = 4096, 20000, 200*time.Millisecond
	})
	if status, _, body := asks(t, "POST", base+"/vectorize", `{"texts":["`+strings.Repeat("a", 5000)+`"]}`); status != http.StatusRequestEntityTooLarge || !strings.Contains(body, `"error"`) {
		t.Errorf("a large body: %d %s", status, body)
	}
	chunked := "POST /vectorize HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat("400\r\n"+strings.Repeat("a", 1024)+"\r\n", 8)
	if status, _, _ := sendRaw(t, base, []byte(chunked)); status != http.StatusRequestEntityTooLarge {
		t.Errorf("a large body of unknown length: %d", status)
	}
	// A picture of 100,000 × 100,000 pixels in some bytes.
	bomb := []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x01\x86\xa0\x00\x01\x86\xa0\x08\x02\x00\x00\x00")
	bomb = append(binary.BigEndian.AppendUint32(bomb, crc32.ChecksumIEEE(bomb[12:])), make([]byte, 40)...)
	if status, _, body := asks(t, "POST", base+"/vectorize", `{"images":["`+base64.StdEncoding.EncodeToString(bomb)+`"]}`); status != http.StatusBadRequest || !strings.Contains(body, "pixels") {
		t.Errorf("an image of many pixels: %d %s", status, body)
	}
	if status, _, _ := replay(t, base, "weaviate-near-image"); status != http.StatusOK { // 88 × 145
		t.Errorf("an image within the limits: %d", status)
	}
	began := time.Now()
	slow := "POST /vectorize HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{\"texts\":"
	if status, _, _ := sendRaw(t, base, []byte(slow)); status != http.StatusRequestTimeout {
		t.Errorf("a client that stops sending: %d, want 408", status)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it was given %v", took)
	}
	for deadline := time.Now().Add(10 * time.Second); s.bodies.used.Load() != 0 || s.queue.used.Load() != 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d bytes and %d items are still taken", s.bodies.used.Load(), s.queue.used.Load())
		}
	}
	s.bodies.claim(s.bodies.most)
	if status, h, _ := asks(t, "POST", base+"/vectorize", `{"texts":["a"]}`); status != http.StatusTooManyRequests || h.Get("Retry-After") != "1" {
		t.Errorf("without memory: %d, Retry-After %q", status, h.Get("Retry-After"))
	}
	s.bodies.free(s.bodies.most)
}

// TestFullQueue: a request that finds no room is told when to come again, in its dialect.
func TestFullQueue(t *testing.T) {
	s, base := serving(t, nil)
	s.queue.claim(s.queue.most)
	for path, c := range map[string][2]string{
		"/v1/embeddings":   {`{"input":"a"}`, `"rate_limit_exceeded"`},
		"/vectorize":       {`{"texts":["a"]}`, `{"error":"`},
		"/text-embeddings": {`{"texts":["a"]}`, `{"error":"`},
	} {
		status, h, body := asks(t, "POST", base+path, c[0])
		if status != http.StatusTooManyRequests || h.Get("Retry-After") != "1" || !strings.Contains(body, c[1]) {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	s.queue.free(s.queue.most)
	if status, _, _ := asks(t, "POST", base+"/vectorize", `{"texts":["a"]}`); status != http.StatusOK {
		t.Errorf("with room again: %d", status)
	}
}

// TestFetch: images are fetched from public addresses only, wherever a redirect or a name
// leads.
func TestFetch(t *testing.T) {
	for address, want := range map[string]bool{
		"8.8.8.8": true, "2606:4700:4700::1111": true,
		"127.0.0.1": false, "127.9.9.9": false, "10.0.0.1": false, "172.16.0.1": false, "192.168.1.1": false, "169.254.169.254": false,
		"100.64.0.1": false, "0.0.0.0": false, "0.1.2.3": false, "224.0.0.1": false, "255.255.255.255": false, "240.0.0.1": false, "198.18.0.1": false,
		"192.0.0.8": false, "192.0.2.1": false,
		"::1": false, "::": false, "fe80::1": false, "fe80::1%eth0": false, "fd00::1": false, "fc00::1": false, "ff02::1": false, "::ffff:127.0.0.1": false,
		"::ffff:10.0.0.1": false, "::127.0.0.1": false, "64:ff9b::7f00:1": false, "64:ff9b::a00:1": false, "2002:7f00:1::": false, "2001::1": false, "fec0::1": false,
	} {
		if got := public(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s is public: %t, want %t", address, got, want)
		}
	}

	file := photo(t)
	inside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write(file) }))
	defer inside.Close()
	port := inside.URL[strings.LastIndex(inside.URL, ":"):]
	// The one that plays the public network listens on another address of this machine.
	l, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil {
		t.Skipf("no second address: %v", err)
	}
	outside := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/photo":
			_, _ = w.Write(file)
		case "/inside":
			http.Redirect(w, r, inside.URL, http.StatusFound)
		case "/named":
			http.Redirect(w, r, "http://localhost"+port, http.StatusFound)
		case "/again":
			http.Redirect(w, r, "/photo", http.StatusFound)
		case "/round":
			http.Redirect(w, r, "/round", http.StatusFound)
		case "/file":
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		case "/large":
			_, _ = w.Write(make([]byte, 1<<20))
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	})}}
	outside.Start()
	defer outside.Close()

	s, base := serving(t, nil)
	s.fetcher = newFetcher(1<<19, func(a netip.Addr) bool { return a.Unmap() == netip.MustParseAddr("127.0.0.2") })
	for address, says := range map[string]string{
		outside.URL + "/photo":     "",
		outside.URL + "/again":     "",
		outside.URL + "/inside":    "not a public one",
		outside.URL + "/named":     "not a public one",
		outside.URL + "/round":     "cannot be fetched",
		outside.URL + "/file":      "cannot be fetched",
		outside.URL + "/large":     "larger",
		outside.URL + "/none":      "404",
		inside.URL:                 "not a public one",
		"http://localhost" + port:  "not a public one",
		"http://2130706433" + port: "c", // 127.0.0.1 as a number: no host of that name, or not a public one
		"http://a:b@127.0.0.2/":    "wrong",
		"http:///x":                "wrong",
	} {
		var a openAIAnswer
		status := post(t, base+"/v1/embeddings", `{"input":[{"image":"`+address+`"}]}`, &a)
		if says == "" && (status != http.StatusOK || len(a.Data) != 1) || says != "" && (status != http.StatusBadRequest || !strings.Contains(a.Error.Message, says)) {
			t.Errorf("%s: %d %q, want %q", address, status, a.Error.Message, says)
		}
	}
}

// TestLogsNoCaption: nor an image, a key or a query, whatever happens.
func TestLogsNoCaption(t *testing.T) {
	var mu sync.Mutex
	var log bytes.Buffer
	o := func(o *Options) {
		o.Log = slog.New(slog.NewJSONHandler(writer(func(b []byte) (int, error) {
			mu.Lock()
			defer mu.Unlock()
			return log.Write(b)
		}), &slog.HandlerOptions{Level: slog.LevelDebug}))
		o.Keys = []string{"sk-secret"}
	}
	_, base := serving(t, o)
	key := []string{"Authorization", "Bearer sk-secret"}
	for _, body := range []string{`{"texts":["quokka"]}`, `{"texts":["quokka",5]}`, `quokka`, `{"images":["quokka"]}`, `{"images":["` + base64.StdEncoding.EncodeToString([]byte("quokka")) + `"]}`} {
		asks(t, "POST", base+"/vectorize?quokka=1", body, key...)
	}
	asks(t, "GET", base+"/api/search?q=quokka", "", key...)
	asks(t, "GET", base+"/quokka", "", key...)
	mu.Lock()
	defer mu.Unlock()
	if text := log.String(); strings.Contains(text, "quokka") || strings.Contains(text, "cXVva2th") || strings.Contains(text, "sk-secret") {
		t.Errorf("the log has it:\n%s", text)
	} else if n := strings.Count(text, `"route":"POST /vectorize"`); n != 5 {
		t.Errorf("the log has %d requests, want 5:\n%s", n, text)
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(b []byte) (int, error) { return w(b) }

// TestStopsGracefully: what was accepted is answered, also when it comes while the server is
// about to stop; then nobody is.
func TestStopsGracefully(t *testing.T) {
	m := modelOf(t)
	begun, loads := make(chan struct{}), make(chan struct{})
	inner := m.Load
	m.Load = func(ctx context.Context) (*encoder.Model, error) {
		close(begun)
		<-loads
		return inner(ctx)
	}
	s, err := New(Options{Models: []Model{m}})
	check(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	base := "http://" + l.Addr().String()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, s, l, Listening{Drain: 4 * time.Second}) }()
	var wg sync.WaitGroup
	ask := func() {
		defer wg.Done()
		if status := post(t, base+"/vectorize", `{"texts":["a"]}`, nil); status != http.StatusOK {
			t.Errorf("status %d", status)
		}
	}
	wg.Add(8)
	for range 8 {
		go ask()
	}
	<-begun
	stop()
	for !s.ending.Load() {
		time.Sleep(time.Millisecond)
	}
	if status, _, _ := asks(t, "GET", base+"/health/ready", ""); status != http.StatusServiceUnavailable {
		t.Errorf("ready while it stops: %d, want 503", status)
	}
	wg.Add(1)
	go ask()
	time.Sleep(5 * time.Second) // past the drain: what is under way is waited for
	close(loads)
	wg.Wait()
	check(t, <-ended)
	check(t, s.Close())
	if _, err := http.Get(base + "/ping"); err == nil {
		t.Error("it answers after its end")
	}
}

// TestSameBitsUnderLoad: many clients at once, each gets what the encoder says.
func TestSameBitsUnderLoad(t *testing.T) {
	_, base := serving(t, func(o *Options) { o.Queue = 4096 })
	m := load(t)
	files := images(t)
	want := make([][]float32, len(files))
	for i, f := range files {
		want[i] = rowOf(t, m, "", f)
	}
	var wg sync.WaitGroup
	for c := range 24 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range 6 {
				k := (c*7 + i*3) % len(files)
				text := fmt.Sprintf("%d cats and %s dogs", c, strings.Repeat("very ", i))
				var a struct{ TextVectors, ImageVectors [][]float32 }
				body := `{"texts":["` + text + `"],"images":["` + base64.StdEncoding.EncodeToString(files[k]) + `"]}`
				if status := post(t, base+"/vectorize", body, &a); status != http.StatusOK {
					t.Errorf("status %d", status)
					return
				}
				same(t, "image", a.ImageVectors[0], want[k])
				same(t, "text", a.TextVectors[0], rowOf(t, m, text, nil))
			}
		}()
	}
	wg.Wait()
	_, _, metrics := asks(t, "GET", base+"/metrics", "")
	for _, line := range []string{`goclip_requests_total{code="200",dialect="weaviate"} 144`, `goclip_queue_items 0`, `goclip_pass_items_count{kind="image",model="ViT-B-32__openai"}`, "go_goroutines"} {
		if !strings.Contains(metrics, line) {
			t.Errorf("/metrics lacks %s", line)
		}
	}
}

// TestLongBetweenRequests: a connection that rested for longer than a client may stall is
// answered on, also where the answer has no body, or one is awaited.
func TestLongBetweenRequests(t *testing.T) {
	_, base := serving(t, func(o *Options) { o.Stall = 50 * time.Millisecond })
	c, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
	check(t, err)
	defer c.Close()
	r := bufio.NewReader(c)
	for _, request := range []string{
		"GET /ping HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /.well-known/ready HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /ping HTTP/1.1\r\nHost: a\r\n\r\n",
		"POST /vectorize HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n",
		"GET /.well-known/live HTTP/1.1\r\nHost: a\r\n\r\n",
	} {
		_, err := io.WriteString(c, request)
		check(t, err)
		check(t, c.SetReadDeadline(time.Now().Add(time.Minute)))
		resp, err := http.ReadResponse(r, nil)
		if err == nil && resp.StatusCode == http.StatusContinue {
			_, err = io.WriteString(c, "{}")
			check(t, err)
			resp, err = http.ReadResponse(r, nil)
		}
		if err != nil {
			t.Fatalf("%q: %v", request, err)
		}
		_, err = io.Copy(io.Discard, resp.Body)
		check(t, err)
		time.Sleep(100 * time.Millisecond)
	}
}
