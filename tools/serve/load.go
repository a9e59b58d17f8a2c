package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"image"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/vision"
)

// files are images in memory, as clients have them.
func files(pattern string) (data [][]byte, err error) {
	names, err := filepath.Glob(pattern)
	if err == nil && len(names) == 0 {
		err = fmt.Errorf("no file %s", pattern)
	}
	for _, name := range names {
		var text []byte
		if text, err = os.ReadFile(name); err != nil {
			break
		}
		data = append(data, text)
	}
	return data, err
}

// load compares what clients get with what the model does by itself with the same files, in
// turns, since other programs may keep the machine busy.
func load(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("load", flag.ExitOnError)
	goclip := flags.String("goclip", "goclip", "the command")
	model := flags.String("model", "", "folder of the model")
	pattern := flags.String("images", "", "pattern of image files")
	clients := flags.Int("clients", 64, "clients at once")
	rounds := flags.Int("rounds", 3, "rounds; the best of each counts")
	length := flags.Duration("for", 5*time.Second, "how long a round takes")
	least := flags.Float64("least", 0.95, "fail below this part of the model's own throughput")
	_ = flags.Parse(args)
	data, err := files(*pattern)
	if err != nil {
		return err
	}
	m, err := encoder.Load(*model, &encoder.Options{BatchSize: 16})
	if err != nil {
		return err
	}
	defer m.Close()
	want, err := rowsOf(ctx, m, data)
	if err != nil {
		return err
	}
	s, err := start(ctx, *goclip, "--model", "m="+*model, "--preload")
	if err != nil {
		return err
	}
	if _, _, err := crowd(ctx, s.base, data, want, *clients, *length/4); err != nil { // once for what is made at first use
		return err
	}
	var own, served float64
	var waits []time.Duration
	for range *rounds {
		n, took, err := alone(ctx, m, data, *length)
		if err != nil {
			return err
		}
		own = max(own, float64(n)/took.Seconds())
		round, took, err := crowd(ctx, s.base, data, want, *clients, *length)
		if err != nil {
			return err
		}
		if rate := float64(len(round)) / took.Seconds(); rate > served {
			served, waits = rate, round
		}
	}
	slices.Sort(waits)
	at := func(p float64) time.Duration {
		return waits[min(int(p*float64(len(waits))), len(waits)-1)].Round(time.Millisecond)
	}
	fmt.Printf("model alone %.1f images/s, %d clients %.1f images/s, ratio %.3f; latency p50 %v, p90 %v, p99 %v\n",
		own, *clients, served, served/own, at(0.5), at(0.9), at(0.99))
	if served < *least*own {
		return errors.Join(fmt.Errorf("ratio %.3f, want at least %.2f", served/own, *least), s.stop())
	}
	return s.stop()
}

func rowsOf(ctx context.Context, m *encoder.Model, data [][]byte) ([][]float32, error) {
	e, err := m.EncodeImagesFunc(ctx, len(data), opening(ctx, data))
	if err != nil {
		return nil, err
	}
	rows := make([][]float32, len(data))
	for i := range rows {
		rows[i] = e.Row(i)
	}
	return rows, nil
}

func opening(ctx context.Context, data [][]byte) func(i int) (image.Image, error) {
	return func(i int) (image.Image, error) {
		return vision.DecodeContext(ctx, bytes.NewReader(data[i%len(data)]), nil)
	}
}

// alone is the model's own throughput: files in memory, decoded ahead of full batches.
func alone(ctx context.Context, m *encoder.Model, data [][]byte, length time.Duration) (n int, took time.Duration, err error) {
	began := time.Now()
	for took < length {
		const some = 64
		if _, err := m.EncodeImagesFunc(ctx, some, opening(ctx, data)); err != nil {
			return 0, 0, err
		}
		n, took = n+some, time.Since(began)
	}
	return n, took, nil
}

// crowd asks from many clients, each for one image after the other, and compares every
// answer. It returns how long each took.
func crowd(ctx context.Context, base string, data [][]byte, want [][]float32, clients int, length time.Duration) (waits []time.Duration, took time.Duration, err error) {
	forms := make([][]byte, len(data))
	for i, d := range data {
		forms[i] = form(d)
	}
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
				k := i % len(data)
				from := time.Now()
				err := predict(ctx, client, base, forms[k], want[k])
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

// form is what Immich sends with an image.
func form(file []byte) []byte {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	_ = w.SetBoundary(boundary)
	_ = w.WriteField("entries", `{"clip":{"visual":{"modelName":"m"}}}`)
	f, _ := w.CreateFormFile("image", "blob")
	_, _ = f.Write(file)
	_ = w.Close()
	return b.Bytes()
}

const boundary = "----formdata-undici-012345678901"

// predict asks for the embedding of one image as Immich does; it has to be the one that is
// wanted.
func predict(ctx context.Context, client *http.Client, base string, form []byte, want []float32) error {
	var a struct{ Clip string }
	if err := ask(ctx, client, base+"/predict", "multipart/form-data; boundary="+boundary, form, &a); err != nil {
		return err
	}
	var row []float32
	if err := json.Unmarshal([]byte(a.Clip), &row); err != nil || !slices.Equal(row, want) {
		return errors.New("the embedding is not the encoder's")
	}
	return nil
}

// vectorize asks for the embedding of one image, which has to be the one that is wanted.
func vectorize(ctx context.Context, client *http.Client, base string, body []byte, want []float32) error {
	var a struct{ ImageVectors [][]float32 }
	if err := ask(ctx, client, base+"/vectorize", jsonType, body, &a); err != nil {
		return err
	}
	if len(a.ImageVectors) != 1 || !slices.Equal(a.ImageVectors[0], want) {
		return errors.New("the embedding is not the encoder's")
	}
	return nil
}

const jsonType = "application/json"

// ask posts a body and reads the JSON of an answer of status 200.
func ask(ctx context.Context, client *http.Client, url, kind string, body []byte, v any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", kind)
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return err
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("%s: status %d: %.300s", url, resp.StatusCode, text)
	}
	return json.Unmarshal(text, v)
}
