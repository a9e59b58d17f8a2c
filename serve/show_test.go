package serve

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"io"
	"math"
	serial "math/big"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goclip/goclip/embeddings"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/index"
	"github.com/goclip/goclip/internal/golden"
	"github.com/goclip/goclip/photos"
)

// TestShow: while an index is replaced again and again every request is answered by one state
// of it or the other, and each state is closed when nobody looks in it.
func TestShow(t *testing.T) {
	library, folder := album(t, 8)
	open := func() *index.Index {
		x, err := photos.Open(library, nil)
		check(t, err)
		return x
	}
	now := open()
	s, base := serving(t, func(o *Options) { o.Index, o.Folder = now, folder })
	asked, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for c := range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := c; asked.Err() == nil; i++ {
				address := base + []string{"/api/search?k=100", "/api/search?q=dog&k=100", "/api/duplicates", "/api/photo?key=1/01.jpg"}[i%4]
				resp, body := fetched(t, address)
				if n := strings.Count(string(body), `"key"`); resp.StatusCode != http.StatusOK || i%4 < 2 && n != 9 && n != 8 {
					t.Errorf("%s: %s, %d entries: %.200s", address, resp.Status, n, body)
					return
				}
			}
		}()
	}
	for i := range 20 {
		next := open()
		if i%2 == 0 {
			next.Delete("twin.jpg")
		}
		check(t, s.Show(next, nil))
		check(t, now.Close())
		now = next
	}
	stop()
	wg.Wait()
	if got := ask(t, base, "k=100"); len(got.Hits) != 9 {
		t.Errorf("in the end there are %d, want 9", len(got.Hits))
	}
	if err := s.Show(index.New(now.Dim()), nil); err == nil || !strings.Contains(err.Error(), "upright") && !strings.Contains(err.Error(), "model") {
		t.Errorf("an index of another model: %v", err)
	}
	check(t, now.Close())
	alone, _ := serving(t, nil)
	if err := alone.Show(index.New(4), nil); err == nil {
		t.Error("a server without an index shows one")
	}
}

// TestTLS: with a certificate of a root that a client trusts it is answered over HTTPS, by
// HTTP/2, too; plain HTTP and old versions are not.
func TestTLS(t *testing.T) {
	certificate, roots := certified(t, "localhost")
	s, err := New(Options{Models: []Model{modelOf(t)}, Stall: 5 * time.Second})
	check(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, s, l, Listening{Certificate: certificate, Drain: time.Millisecond}) }()
	base := fmt.Sprintf("https://localhost:%d", l.Addr().(*net.TCPAddr).Port)
	client := func(c *tls.Config) *http.Client {
		return &http.Client{Transport: &http.Transport{TLSClientConfig: c, ForceAttemptHTTP2: c.RootCAs != nil}}
	}
	var a struct{ TextVectors [][]float32 }
	resp, err := client(&tls.Config{RootCAs: roots}).Post(base+"/vectorize", "application/json", strings.NewReader(`{"texts":["a dog"]}`))
	check(t, err)
	check(t, json.NewDecoder(resp.Body).Decode(&a))
	resp.Body.Close()
	if resp.ProtoMajor != 2 || len(a.TextVectors) != 1 {
		t.Fatalf("%s %s", resp.Proto, resp.Status)
	}
	same(t, "over TLS", a.TextVectors[0], rowOf(t, load(t), "a dog", nil))
	for what, c := range map[string]*tls.Config{
		"a client that does not know the root": {},
		"TLS 1.1":                              {RootCAs: roots, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11},
		"another name":                         {RootCAs: roots, ServerName: "elsewhere.example"},
	} {
		if resp, err := client(c).Get(base + "/ping"); err == nil {
			resp.Body.Close()
			t.Errorf("%s: it is answered %s", what, resp.Status)
		}
	}
	if resp, err := http.Get(strings.Replace(base, "https", "http", 1) + "/ping"); err == nil {
		text, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest {
			t.Errorf("plain HTTP: %s %s", resp.Status, text)
		}
	}
	stop()
	check(t, <-ended)
	check(t, s.Close())
}

// certified is a certificate for a name, by a root that was made for it.
func certified(t *testing.T, name string) (*tls.Certificate, *x509.CertPool) {
	t.Helper()
	make := func(c, parent *x509.Certificate, by *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		check(t, err)
		if parent == nil {
			parent, by = c, key
		}
		der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, by)
		check(t, err)
		made, err := x509.ParseCertificate(der)
		check(t, err)
		return made, key
	}
	from, to := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	root, rootKey := make(&x509.Certificate{
		SerialNumber: serial.NewInt(1), Subject: pkix.Name{CommonName: "root"}, NotBefore: from, NotAfter: to,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, nil, nil)
	leaf, key := make(&x509.Certificate{
		SerialNumber: serial.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotBefore: from, NotAfter: to,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, root, rootKey)
	pool := x509.NewCertPool()
	pool.AddCert(root)
	return &tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key}, pool
}

// TestKnnReplayed: the requests that clip-retrieval's client was recorded with find in its own
// embeddings what its service found.
func TestKnnReplayed(t *testing.T) {
	from, err := embeddings.Open(golden.Shared(t, "interchange", "clip_retrieval_webdataset"))
	check(t, err)
	x := index.New(from.Dim())
	check(t, from.Each(t.Context(), func(row embeddings.Row) error {
		meta, err := json.Marshal(map[string]string{"caption": row.Caption})
		check(t, err)
		return x.Add([]index.Entry{{Key: row.Key, Meta: string(meta)}}, &encoder.Embeddings{N: 1, Dim: len(row.Image), Data: row.Image})
	}))
	defer x.Close()
	_, base := serving(t, func(o *Options) { o.Index, o.IndexNames = x, []string{"idx"} })
	body := func(name string) string {
		text, err := os.ReadFile(golden.Shared(t, "interchange", "knn_service", name))
		check(t, err)
		return string(text)
	}
	type hit struct {
		ID         int
		Path       *string `json:"image_path"`
		Caption    *string
		Similarity float64
	}
	var got, want []hit
	if status := post(t, base+"/knn-service", body("image.request.json"), &got); status != http.StatusOK {
		t.Fatalf("status %d", status)
	}
	check(t, json.Unmarshal([]byte(body("image.response.json")), &want))
	if len(got) != len(want) || len(want) < 4 {
		t.Fatalf("%d hits, want %d", len(got), len(want))
	}
	shown := [2][]string{}
	for i, w := range want {
		// Theirs are halves that are not quite of length one; of equal ones any may be first.
		g := got[i]
		if !(math.Abs(g.Similarity-w.Similarity) <= 2e-3) || (g.Path == nil) != (w.Path == nil) {
			t.Errorf("hit %d: %+v, want %+v", i, g, w)
			continue
		}
		if w.Path != nil {
			shown[0], shown[1] = append(shown[0], *g.Path+" "+*g.Caption), append(shown[1], *w.Path+" "+*w.Caption)
		}
	}
	slices.Sort(shown[0])
	slices.Sort(shown[1])
	if !slices.Equal(shown[0], shown[1]) {
		t.Errorf("shown are %q, want %q", shown[0], shown[1])
	}
	var meta []struct {
		ID       int
		Metadata map[string]any
	}
	if status := post(t, base+"/metadata", body("metadata.request.json"), &meta); status != http.StatusOK || len(meta) != 2 || meta[1].ID != 2 || meta[0].Metadata["image_path"] == nil {
		t.Errorf("metadata: %d %+v", status, meta)
	}
	// An index of images has no answer to what is asked of texts.
	var e struct{ Message string }
	if status := post(t, base+"/knn-service", body("text.request.json"), &e); status != http.StatusBadRequest || !strings.Contains(e.Message, "modality") {
		t.Errorf("modality text: %d %q", status, e.Message)
	}
}
