package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"mime/multipart"
	"net/http"
	"slices"
	"sync"
	"time"
)

// spoken is a dialect with the requests of some images in it, and what was measured with it.
type spoken struct {
	name, path, kind string
	bodies           [][]byte
	same             func(answer []byte, want []float32) bool

	ratios []float64
	waits  []time.Duration
}

// dialectOf makes the requests of a dialect, each of one image as its clients send it.
func dialectOf(name string, data [][]byte) (d spoken, err error) {
	d = spoken{name: name, kind: jsonType}
	var body func(file []byte) []byte
	switch name {
	case "immich":
		d.path, d.kind = "/predict", "multipart/form-data; boundary="+boundary
		body = func(file []byte) []byte { return form(`{"clip":{"visual":{"modelName":"m"}}}`, file) }
		d.same = func(answer []byte, want []float32) bool {
			var a struct{ Clip string }
			var row []float32
			return json.Unmarshal(answer, &a) == nil && json.Unmarshal([]byte(a.Clip), &row) == nil && slices.Equal(row, want)
		}
	case "weaviate":
		d.path, body = "/vectorize", func(file []byte) []byte {
			return []byte(`{"texts":[],"images":["` + base64.StdEncoding.EncodeToString(file) + `"]}`)
		}
		d.same = func(answer []byte, want []float32) bool {
			var a struct{ ImageVectors [][]float32 }
			return json.Unmarshal(answer, &a) == nil && len(a.ImageVectors) == 1 && slices.Equal(a.ImageVectors[0], want)
		}
	case "openai":
		d.path, body = "/v1/embeddings", func(file []byte) []byte {
			return []byte(`{"model":"m","encoding_format":"base64","input":[{"image":"data:image/jpeg;base64,` + base64.StdEncoding.EncodeToString(file) + `"}]}`)
		}
		d.same = func(answer []byte, want []float32) bool {
			var a struct{ Data []struct{ Embedding string } }
			if json.Unmarshal(answer, &a) != nil || len(a.Data) != 1 {
				return false
			}
			row, err := base64.StdEncoding.DecodeString(a.Data[0].Embedding)
			return err == nil && slices.Equal(row, littleEndian(want))
		}
	case "photofield":
		d.path, d.kind = "/image-embeddings", "multipart/form-data; boundary="+boundary
		body = func(file []byte) []byte { return form("", file) }
		d.same = func(answer []byte, want []float32) bool { // halves: the test of package serve compares them
			var a struct {
				Images []struct {
					Data string `json:"embedding_f16_b64"`
				}
			}
			return json.Unmarshal(answer, &a) == nil && len(a.Images) == 1 && len(a.Images[0].Data) == base64.StdEncoding.EncodedLen(2*len(want))
		}
	default:
		return d, fmt.Errorf("no dialect %q", name)
	}
	for _, file := range data {
		d.bodies = append(d.bodies, body(file))
	}
	return d, nil
}

func littleEndian(row []float32) []byte {
	var b []byte
	for _, v := range row {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}

// crowd asks from many clients, each for one image after the other, and compares every
// answer. It returns how long each took.
func (d *spoken) crowd(ctx context.Context, base string, want [][]float32, clients int, length time.Duration) (waits []time.Duration, took time.Duration, err error) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
	defer client.CloseIdleConnections()
	began := time.Now()
	var mu sync.Mutex
	var wg sync.WaitGroup
	var errs []error
	for c := range clients {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := c; time.Since(began) < length && ctx.Err() == nil; i++ {
				k := i % len(d.bodies)
				from := time.Now()
				err := d.ask(ctx, client, base, k, want[k])
				mu.Lock()
				waits = append(waits, time.Since(from))
				if err != nil {
					errs = append(errs, err)
				}
				mu.Unlock()
			}
		}()
	}
	wg.Wait()
	if len(errs) > 0 {
		return nil, 0, fmt.Errorf("%d of %d answers are wrong; the first: %w", len(errs), len(waits), errs[0])
	}
	return waits, time.Since(began), nil
}

// ask asks for one image, whose embedding has to be the one that is wanted.
func (d *spoken) ask(ctx context.Context, client *http.Client, base string, k int, want []float32) error {
	answer, err := send(ctx, client, base+d.path, d.kind, d.bodies[k])
	if err == nil && !d.same(answer, want) {
		return errors.New("the embedding is not the encoder's")
	}
	return err
}

const boundary = "----formdata-undici-012345678901"

// form is what Immich sends with an image, or with no entries photofield.
func form(entries string, file []byte) []byte {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	_ = w.SetBoundary(boundary)
	if entries != "" {
		_ = w.WriteField("entries", entries)
	}
	f, _ := w.CreateFormFile("image", "blob")
	_, _ = f.Write(file)
	_ = w.Close()
	return b.Bytes()
}

const jsonType = "application/json"

// ask is send with an answer that is read as JSON.
func ask(ctx context.Context, client *http.Client, url, kind string, body []byte, v any) error {
	text, err := send(ctx, client, url, kind, body)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, v)
}

// send posts a body and returns an answer of status 200.
func send(ctx context.Context, client *http.Client, url, kind string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", kind)
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return nil, err
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%s: status %d: %.300s", url, resp.StatusCode, text)
	}
	return text, nil
}
